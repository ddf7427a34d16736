import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from flawsmith.core.errors import SettingsError, StageError, TrainingError
from flawsmith.core.rng import derive_seed, stream
from flawsmith.training import loop
from flawsmith.training.checkpoint import NAME
from flawsmith.training.loop import LoopSettings, train
from flawsmith.training.ranks import Ranks
from flawsmith.training.settings import ema_decay, learning_rate


class Small(nn.Module):
    """Convolutions, dropout, normalisation with buffers, and one tensor under two names."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Conv2d(8, 3, 3, padding=1),
        )
        self.again = self.body[0]

    def forward(self, x):
        return self.body(x)


class Denoising:
    def __init__(self, net):
        self.net = net

    def turns(self, batch, rng):
        x = batch["x"]
        noisy = x + torch.randn(x.shape, generator=rng, device=rng.device)
        return [((self.net(noisy).float() - x).square().mean(), list(self.net.parameters()))]


class Adversaries:
    """Two players with two optimisers; the first one's loss goes through the second one's weights."""

    def __init__(self, nets):
        self.maker, self.judge = nets["maker"], nets["judge"]

    def turns(self, batch, rng):
        z = torch.randn(len(batch["x"]), 2, generator=rng)
        made = self.maker(z)
        fool = nn.functional.softplus(-self.judge(made)).mean()
        judge = nn.functional.softplus(self.judge(made.detach())) + nn.functional.softplus(-self.judge(batch["x"]))
        return [(fool, list(self.maker.parameters())), (judge.mean(), list(self.judge.parameters()))]


def feed_images(rng, batch):
    return {"x": torch.from_numpy(rng.random((batch, 3, 8, 8), np.float32))}


def feed_points(rng, batch):
    return {"x": torch.from_numpy(rng.normal(2, 0.3, (batch, 2)).astype(np.float32))}


def adversaries():
    return nn.ModuleDict(
        {"maker": nn.Linear(2, 2), "judge": nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1))}
    )


CASES = {"one turn": (Small, Denoising, feed_images), "two turns": (adversaries, Adversaries, feed_points)}


def fresh(make):
    torch.manual_seed(0)
    return make()


def run(case, folder, after=None, **changes):
    make, teach, feed = CASES[case]
    settings = LoopSettings(**{"steps": 24, "batch": 4, "device": "cpu", "log_every": 5, **changes})
    net = fresh(make)
    log = train(net, teach(net), feed, settings, folder, seed=3, after=after)
    return net, log


def same(one, other):
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("stops", [(1,), (7, 15), (24,)])
def test_interrupted_run_ends_with_the_same_bits(tmp_path, case, precision, stops):
    whole, log = run(case, tmp_path / "a", precision=precision)
    for stop in stops:

        def interrupt(step, net, stop=stop):
            if step == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(case, tmp_path / "b", after=interrupt, precision=precision)
        assert (tmp_path / "b" / NAME).is_file()
    resumed, log_again = run(case, tmp_path / "b", precision=precision)
    assert same(whole, resumed)
    assert log_again.losses == log.losses
    assert [step for step, _ in log.losses] == [5, 10, 15, 20, 24]
    assert list((tmp_path / "b").iterdir()) == []


def test_periodic_checkpoint_survives_a_kill(tmp_path):
    """What lies on disk at any moment, as after SIGKILL, is enough to end with the same bits."""
    whole, _ = run("one turn", tmp_path / "a", checkpoint_seconds=1000)
    (tmp_path / "b").mkdir()

    def snapshot(step, net):
        if step == 11:
            (tmp_path / "b" / NAME).write_bytes((tmp_path / "c" / NAME).read_bytes())

    run("one turn", tmp_path / "c", after=snapshot, checkpoint_seconds=0)
    steps = []
    resumed, _ = run("one turn", tmp_path / "b", after=lambda step, net: steps.append(step))
    assert steps[0] == 11  # the tenth step was the last one on disk
    assert same(whole, resumed)


def test_other_seed_gives_other_weights(tmp_path):
    net = fresh(Small)
    settings = LoopSettings(steps=24, batch=4, device="cpu", precision="fp32")
    train(net, Denoising(net), feed_images, settings, tmp_path, seed=4)
    assert not same(net, run("one turn", tmp_path, precision="fp32")[0])


@pytest.mark.parametrize("case", CASES)
def test_follows_plain_adamw_with_average(tmp_path, case):
    """The whole loop against a straightforward one written with torch alone."""
    net, log = run(case, tmp_path, precision="fp32", channels_last=False, steps=12, log_every=1)
    make, teach, feed = CASES[case]
    plain = fresh(make).train()
    learner, settings = teach(plain), LoopSettings(steps=12)
    optimisers, average, losses = None, [each.detach().clone() for each in plain.parameters()], []
    for step in range(12):
        torch.manual_seed(derive_seed(3, "dropout", 0, step))
        rng = torch.Generator().manual_seed(derive_seed(3, "noise", 0, step))
        turns = learner.turns(feed(stream(3, "batch", 0, step), 4), rng)
        optimisers = optimisers or [torch.optim.AdamW(p, weight_decay=settings.weight_decay) for _, p in turns]
        gradients = [torch.autograd.grad(loss, p) for loss, p in turns]
        for (_, parameters), gradient, optimiser in zip(turns, gradients, optimisers, strict=True):
            norm = math.sqrt(sum(float(each.square().sum()) for each in gradient))
            for parameter, each in zip(parameters, gradient, strict=True):
                parameter.grad = each * min(1.0, settings.grad_clip / norm)
            optimiser.param_groups[0]["lr"] = learning_rate(settings, step)
            optimiser.step()
        keep = ema_decay(settings, step)
        for mean, parameter in zip(average, plain.parameters(), strict=True):
            mean.mul_(keep).add_(parameter.detach(), alpha=1 - keep)
        losses.append(sum(loss.item() for loss, _ in turns))
    for mean, parameter in zip(average, net.parameters(), strict=True):
        torch.testing.assert_close(mean, parameter.detach(), rtol=1e-4, atol=1e-6)
    assert [loss for _, loss in log.losses] == pytest.approx(losses, rel=1e-5)


def test_layout_does_not_change_what_is_learnt(tmp_path):
    nets = []
    for channels_last in (True, False):
        net = fresh(Small)
        net.body[3].p = 0.0  # a dropout mask follows the layout
        settings = LoopSettings(steps=10, batch=4, device="cpu", precision="fp32", channels_last=channels_last)
        train(net, Denoising(net), feed_images, settings, tmp_path, seed=0)
        nets.append(net)
    assert nets[0].body[0].weight.is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(*(net.parameters() for net in nets), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


class Ending:
    """A feed that gives zeros until half of the steps are done, and ones from then on."""

    def __init__(self):
        self.asked = []

    def at(self, done):
        self.asked.append(done)
        value = float(done >= 0.5)
        return lambda rng, batch: {"x": torch.full((batch, 3, 8, 8), value)}


@pytest.mark.parametrize("stop", [None, 3, 5])
def test_a_feed_may_change_in_the_course_of_a_training_resumed_or_not(tmp_path, stop):
    taught = []

    class Listening(Denoising):
        def turns(self, batch, rng):
            taught.append(float(batch["x"].mean()))
            return super().turns(batch, rng)

    def interrupt(step, net):
        if step == stop:
            raise KeyboardInterrupt

    feed, settings = Ending(), LoopSettings(steps=8, batch=4, device="cpu")
    for after in (interrupt, None):
        net = fresh(Small)
        try:
            train(net, Listening(net), feed, settings, tmp_path, seed=3, after=after)
            break
        except KeyboardInterrupt:
            continue
    assert taught == [0, 0, 0, 0, 1, 1, 1, 1]
    assert sorted(set(feed.asked)) == [i / 8 for i in range(8)]


def test_it_learns(tmp_path):
    net, log = run("two turns", tmp_path, steps=600, batch=64, learning_rate=1e-2)
    made = net["maker"](torch.randn(500, 2, generator=torch.Generator().manual_seed(1)))
    assert made.mean(0).tolist() == pytest.approx([2, 2], abs=0.6)
    assert not net.training
    assert log.steps == 600
    assert log.seconds_per_step > 0


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_not_finite_stops_before_the_weights_change(tmp_path, where):
    net = nn.Linear(1, 1)

    class Breaks:
        def __init__(self):
            self.step = -1

        def turns(self, batch, rng):
            self.step += 1
            self.before = [each.detach().clone() for each in net.parameters()]
            loss = net(batch["x"]).square().mean()
            if self.step == 3:
                loss = loss * math.nan if where == "loss" else (net.weight - net.weight.detach()).abs().sqrt().sum()
            return [(loss, list(net.parameters()))]

    learner = Breaks()
    settings = LoopSettings(steps=9, device="cpu", learning_rate=0.1)
    with pytest.raises(TrainingError, match=r"step 3 of 9.*nan.*learning rate .*lower learning_rate"):
        train(net, learner, lambda rng, n: {"x": torch.ones(n, 1)}, settings, tmp_path, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(learner.before, net.parameters(), strict=True))


def test_checkpoint_of_another_run_is_refused(tmp_path):
    def interrupt(step, net):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("one turn", tmp_path, after=interrupt)
    with pytest.raises(StageError, match=r"other settings: delete"):
        run("one turn", tmp_path, steps=30)
    with pytest.raises(StageError, match="network"):
        run("two turns", tmp_path)
    (tmp_path / NAME).write_bytes(b"not a checkpoint")
    with pytest.raises(StageError, match="delete it to train from the start"):
        run("one turn", tmp_path)


def test_parameters_outside_the_network_are_refused(tmp_path):
    net, other = Small(), Small()
    with pytest.raises(TrainingError, match="does not hold"):
        train(net, Denoising(other), feed_images, LoopSettings(steps=1, device="cpu"), tmp_path, seed=0)


def test_global_randomness_is_left_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    net = Small.__new__(Small)
    with torch.random.fork_rng():
        net.__init__()
    train(net, Denoising(net), feed_images, LoopSettings(steps=2, device="cpu"), tmp_path, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_progress_ends_at_the_total(tmp_path):
    seen = []
    net = fresh(Small)
    settings = LoopSettings(steps=5, device="cpu")
    train(net, Denoising(net), feed_images, settings, tmp_path, seed=0, progress=lambda *a: seen.append(a), task="fit")
    assert seen[-1][:3] == ("fit", 5, 5)
    assert seen[-1][3].startswith("loss ")


def test_ctrl_c_waits_for_the_step(tmp_path):
    """Pressed in the middle of a step, it strikes between two steps, so that the checkpoint is consistent."""
    whole, _ = run("one turn", tmp_path / "a")

    class Pressed(Denoising):
        done = 0

        def turns(self, batch, rng):
            self.done += 1
            if self.done == 6:
                os.kill(os.getpid(), signal.SIGINT)
            return super().turns(batch, rng)

    net = fresh(Small)
    settings = LoopSettings(steps=24, batch=4, device="cpu", log_every=5)
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(net, Pressed(net), feed_images, settings, tmp_path / "b", seed=3)
    assert signal.getsignal(signal.SIGINT) is usual
    assert same(whole, run("one turn", tmp_path / "b")[0])


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_schedules(steps):
    for share in (0.0, 0.1, 1.0):
        settings = LoopSettings(steps=steps, warmup_share=share, learning_rate=1.0)
        rates = [learning_rate(settings, step) for step in range(steps)]
        assert all(0 < rate <= 1 for rate in rates)
        assert max(rates) == pytest.approx(1.0)
    decays = [ema_decay(settings, step) for step in range(steps)]
    assert all(0 <= decay < 1 for decay in decays)
    assert decays == sorted(decays)
    assert decays[-1] == pytest.approx(0.5 ** (1 / (0.05 * steps)))
    assert ema_decay(LoopSettings(ema_halflife_share=0), 5) == 0


WORKER = """
    import atexit, os, sys, torch
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    threads = Path("/proc/self/task")
    @atexit.register  # runs last: threads of the process group that outlive it abort the process now and then
    def alone():
        if threads.exists() and len(list(threads.iterdir())) > 1:
            print("threads left:", [(each / "comm").read_text() for each in threads.iterdir()], file=sys.stderr)
            sys.stderr.flush()
            os._exit(3)
    import test_training_loop as here
    from flawsmith.training.loop import LoopSettings, train
    from safetensors.torch import save_file
    rank = int(os.environ["RANK"])
    torch.manual_seed(rank)  # processes that start apart must still end together
    net = here.adversaries()
    folder, stop = Path(sys.argv[1]), int(sys.argv[2])
    def after(step, net):
        if step == stop:
            raise KeyboardInterrupt
    settings = LoopSettings(steps=20, batch=8, device="cpu", precision="fp32")
    try:
        train(net, here.Adversaries(net), here.feed_points, settings, folder, seed=0, after=after)
        save_file(net.state_dict(), folder / f"net{{rank}}.safetensors")
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.slow
def test_two_processes_end_with_the_same_network_and_resume(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(textwrap.dedent(WORKER.format(tests=str(Path(__file__).parent))))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    for folder, stops in (("a", ["0"]), ("b", ["9", "0"])):
        (tmp_path / folder).mkdir()
        for stop in stops:
            subprocess.run([*launch, str(tmp_path / folder), stop], check=True, env=env, timeout=300)
    nets = [load_file(tmp_path / f / f"net{rank}.safetensors") for f in "ab" for rank in (0, 1)]
    for other in nets[1:]:
        assert all(torch.equal(nets[0][name], other[name]) for name in nets[0])


def test_batch_must_be_shared_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "join_ranks", lambda device: Ranks(0, 3, device))
    with pytest.raises(SettingsError, match="use a multiple"):
        run("two turns", tmp_path)
