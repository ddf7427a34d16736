"""Settings of the smallest whole run: seconds on one core."""

TINY = [
    "demo.good=12",
    "demo.per_class=6",
    "demo.size_hw=[64,64]",
    "split.shots=3",
    "local.side=32",
    "local.net.widths=[16,32]",
    "local.net.embedding=32",
    "local.loop.steps=30",
    "local.loop.batch=4",
    "local.loop.checkpoint_seconds=0",
    "local.sampling.steps=3",
    "local.sampling.refine_steps=2",
    "generate.plan.per_class=3",
    "generate.batch=4",
    "generate.most_attempts=3",
    "kit.gates.mask_obeyed=0",
    "kit.gates.visible=0",
    "proof.seeds=1",
    "proof.steps=12",
    "proof.bootstrap=20",
]
