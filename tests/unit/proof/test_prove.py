"""A whole proof on 32 px plates with dark squares, in seconds."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from flawsmith.core.errors import DataError, LeakError, SettingsError
from flawsmith.core.files import sha256_tree, write_json
from flawsmith.core.records import GOOD, Catalog, Entry, MaskFile
from flawsmith.data.loading import image_sha256, load_sample
from flawsmith.data.sealed import open_test
from flawsmith.data.splits import Splits, write_splits
from flawsmith.inspectors import INSPECTORS
from flawsmith.proof import plan
from flawsmith.proof.arms import Arm
from flawsmith.proof.plan import Plan, mean_curve
from flawsmith.proof.prove import prove, read_proof
from flawsmith.proof.schema import Results
from flawsmith.proof.settings import ProofSettings
from flawsmith.proof.work import checked, looks

TINY = {"width": 4, "stages": 2, "patch": 1, "crop": 16, "batch": 4, "learning_rate": 5e-3}
SETTINGS = ProofSettings(seeds=2, steps=8, check_every=4, bootstrap=50, workers=1, inspector_options=TINY)


def plates(root, good, dents, seed, contrast=60):
    rng, entries = np.random.default_rng(seed), []
    root.mkdir(parents=True)
    for number in range(good + dents):
        image, mask = rng.normal(150, 12, (32, 32)), np.zeros((32, 32), bool)
        label, masks = (GOOD, ()) if number < good else ("dent", (MaskFile(root / f"{number}_mask.png", "dent"),))
        if masks:
            top, left = rng.integers(2, 22, 2)
            mask[top : top + 8, left : left + 8] = True
            image[mask] -= contrast
            Image.fromarray(mask.astype(np.uint8) * 255).save(masks[0].path)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"{number}.png")
        entries.append(Entry(str(number), root / f"{number}.png", label, f"{root.name}-{number}", masks))
    return Catalog(root.name, root, "test", tuple(entries))


@pytest.fixture
def world(tmp_path):
    """Train, validation, a split folder with a sealed test split, and two arms."""
    test = plates(tmp_path / "test", 6, 6, 3, contrast=25)
    train, val = plates(tmp_path / "train", 4, 2, 1), plates(tmp_path / "val", 2, 2, 2, contrast=25)
    write_splits(Splits(train, val, test), tmp_path / "split")
    return {
        "train": train,
        "val": val,
        "split_folder": tmp_path / "split",
        "arms": {"real": Arm(), "real+synthetic": Arm(plates(tmp_path / "made", 0, 5, 4, contrast=40))},
    }


def set_aside(root, dents):
    """Real defects beyond those of the training part."""
    made = plates(root, 0, dents, 7)
    return made.with_entries(replace(entry, id=f"spare-{entry.id}") for entry in made)


def run(world, folder, settings=SETTINGS, **options):
    return prove(**world, settings=settings, folder=folder, **options)


def files_of(folder):
    return sha256_tree(folder, skip=("timing.json",))


def test_a_proof_end_to_end(world, tmp_path):
    proof = run(world, tmp_path / "proof")
    assert [(row["arm"], row["seed"]) for row in proof.rows] == [
        (arm, seed) for arm in ("real", "real+synthetic") for seed in (0, 1)
    ]
    assert all(row["steps"] == 8 and row["seconds"] > 0 for row in proof.rows)
    assert proof.results["test"] == {"images": 12, "good": 6, "groups": 12}
    assert proof.verdict["verdict"] in ("helps", "no evidence", "hurts")
    assert [look["step"] for look in proof.results["curves"]["real-0"]] == [4, 8]
    assert 0 <= proof.results["recall_at_fpr"]["real"]["dent"] <= 1
    json.dumps(proof.results, allow_nan=False)
    assert read_proof(tmp_path / "proof") == proof
    _check_row(world, tmp_path / "proof", proof.rows[0])


def _check_row(world, folder, row):
    """The row's numbers are those scikit-learn computes from the saved inspector."""
    inspector = INSPECTORS["unet_small"].load(folder / "units" / "real-0" / "model")
    samples = [load_sample(entry) for entry in open_test(world["split_folder"])]
    findings = inspector.inspect([sample.image for sample in samples])
    labels = [sample.label != GOOD for sample in samples]
    masks = np.concatenate([sample.mask.ravel() for sample in samples])
    pixels = np.concatenate([scores.ravel() for scores in findings.pixel_scores])
    assert row["image_auroc"] == pytest.approx(roc_auc_score(labels, findings.image_scores), abs=1e-4)
    assert row["image_ap"] == pytest.approx(average_precision_score(labels, findings.image_scores), abs=1e-4)
    assert row["pixel_auroc"] == pytest.approx(roc_auc_score(masks, pixels), abs=1e-4)
    assert row["pixel_ap"] == pytest.approx(average_precision_score(masks, pixels), abs=1e-4)
    assert row["pixel_macro_ap"] == pytest.approx(row["pixel_ap"], abs=1e-9), "there is one class"


@pytest.mark.parametrize("interrupted_at", [("train real-0", 4), ("train real-1", 8), ("train real+synthetic-0", 4)])
def test_a_killed_proof_resumes_to_the_same_files(world, tmp_path, interrupted_at):
    run(world, tmp_path / "whole")

    def strike(task, done, total, note=""):
        if (task, done) == interrupted_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path / "killed", progress=strike)
    assert not (tmp_path / "killed" / "results.json").exists()
    run(world, tmp_path / "killed")
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_finished_proof_trains_nothing_again(world, tmp_path):
    first, trained = run(world, tmp_path / "proof"), []
    again = run(world, tmp_path / "proof", progress=lambda *news: trained.append(news))
    assert (trained, again) == ([], first)


def test_processes_change_no_result(world, tmp_path):
    settings = SETTINGS.model_copy(update={"seeds": 1})
    run(world, tmp_path / "one", settings)
    run(world, tmp_path / "two", settings.model_copy(update={"workers": 2}))
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_a_worker_ends_with_its_parent(world, tmp_path):
    """The starting process is killed for good: nobody goes on training in the folder."""
    endless = SETTINGS.model_copy(update={"steps": 10**6, "seeds": 1, "workers": 2})
    catalogs = {name: world[name].to_json() for name in ("train", "val")}
    plan = {**catalogs, "made": world["arms"]["real+synthetic"].synthetic.to_json(), "settings": endless.model_dump()}
    write_json(tmp_path / "plan.json", plan)
    script = (
        "import json, sys; from pathlib import Path; from flawsmith.core.records import Catalog\n"
        "from flawsmith.proof.arms import Arm; from flawsmith.proof.prove import prove\n"
        "from flawsmith.proof.settings import ProofSettings\n"
        "root = Path(sys.argv[1]); data = json.loads((root / 'plan.json').read_text())\n"
        "arms = {'real': Arm(), 'real+synthetic': Arm(Catalog.from_json(data['made']))}\n"
        "train, val = (Catalog.from_json(data[name]) for name in ('train', 'val'))\n"
        "settings = ProofSettings(**data['settings'])\n"
        "prove(train, val, root / 'split', arms, settings, root / 'proof', progress=lambda *n: print(n, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        workers = psutil.Process(parent.pid).children()
        parent.kill()
    assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_changed_synthetic_images_are_trained_on_anew(world, tmp_path):
    first, trained = run(world, tmp_path / "proof"), set()
    world["arms"]["real+synthetic"] = Arm(plates(tmp_path / "other", 0, 5, 9, contrast=5))
    again = run(world, tmp_path / "proof", progress=lambda task, *_: trained.add(task))
    assert trained == {"train real+synthetic-0", "train real+synthetic-1"}
    assert again.rows[:2] == first.rows[:2]
    assert again.rows[2]["pixel_ap"] != first.rows[2]["pixel_ap"]


def test_the_steps_follow_the_base_arm_until_it_stops_improving(world, tmp_path):
    options = {"steps": 0, "min_steps": 8, "max_steps": 24, "patience": 1, "min_gain": 1.0, "seeds": 1}
    proof = run(world, tmp_path / "early", SETTINGS.model_copy(update=options))
    assert (proof.results["steps"], proof.results["plan"]["reason"]) == (8, "converged")
    endless = {**options, "patience": 99, "min_gain": 0.0}
    proof = run(world, tmp_path / "late", SETTINGS.model_copy(update=endless))
    assert (proof.results["steps"], proof.results["plan"]["reason"]) == (24, "limit")
    assert [row["steps"] for row in proof.rows] == [24, 24]
    assert "stopped improving is unknown" in proof.verdict["sentence"]


def test_a_planned_proof_killed_while_planning_resumes_to_the_same_files(world, tmp_path):
    options = {"steps": 0, "min_steps": 4, "max_steps": 12, "patience": 99, "seeds": 1}
    settings = SETTINGS.model_copy(update=options)
    run(world, tmp_path / "whole", settings)

    def strike(task, done, total, note=""):
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path / "killed", settings, progress=strike)
    run(world, tmp_path / "killed", settings)
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_test_image_under_another_name_is_a_leak(world, tmp_path):
    leaked = tmp_path / "made" / "copy.png"
    leaked.write_bytes((tmp_path / "test" / "7.png").read_bytes())
    made = world["arms"]["real+synthetic"].synthetic
    world["arms"]["real+synthetic"] = Arm(made.with_entries([*made, Entry("copy", leaked, GOOD, "x")]))
    with pytest.raises(LeakError, match=r"copy\.png = .*7\.png"):
        run(world, tmp_path / "proof")


def test_a_background_from_the_test_split_is_a_leak(world, tmp_path):
    digest = image_sha256(open_test(world["split_folder"]).entries[0])
    record = {"background_id": "somewhere/12", "background_sha256": digest}
    write_json(tmp_path / "made" / "births" / "3.json", record)
    with pytest.raises(LeakError, match=r"somewhere/12 \(background of 3\)"):
        run(world, tmp_path / "proof")


def test_a_part_in_training_and_test_is_a_leak(world, tmp_path):
    entry = world["train"].entries[0]
    same_part = Entry(entry.id, entry.image, entry.label, "test-3", entry.masks)
    world["train"] = world["train"].with_entries([same_part, *world["train"].entries[1:]])
    with pytest.raises(LeakError, match="group test-3"):
        run(world, tmp_path / "proof")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inspector": "unet_smal"}, "unet_small"),
        ({"base": "reel"}, "did you mean 'real'"),
        ({"candidate": "real"}, "another candidate"),
        ({"min_steps": 9, "max_steps": 8}, "above max_steps"),
        ({"inspector_options": {"widht": 4}}, "did you mean 'width'"),
    ],
)
def test_impossible_settings_are_refused_before_any_work(world, tmp_path, change, message):
    with pytest.raises(SettingsError, match=message):
        run(world, tmp_path / "proof", SETTINGS.model_copy(update=change))
    assert not (tmp_path / "proof").exists()


def test_a_test_split_without_good_images_is_refused(world, tmp_path):
    test = open_test(world["split_folder"]).labelled("dent")
    write_splits(Splits(world["train"], world["val"], test), world["split_folder"])
    with pytest.raises(DataError, match="no good image"):
        run(world, tmp_path / "proof")


def test_validation_keeps_every_defect_and_thins_the_good(world):
    picked = checked(world["val"], 1)
    assert [entry.label for entry in picked] == ["dent", "dent", GOOD]
    assert looks(9, 4) == [4, 8, 9]
    assert looks(3, 4) == [3]


def test_the_mean_curve_leaves_out_what_is_unknown():
    curves = [[{"step": 4, "image_ap": 0.5, "pixel_ap": None}], [{"step": 4, "image_ap": 0.7, "pixel_ap": None}]]
    assert mean_curve(curves, 4) == [{"step": 4, "image_ap": pytest.approx(0.6), "pixel_ap": None}]
    assert mean_curve(curves, 3) == []


def test_arms_differ_in_what_they_learn_from_and_in_their_options(world, tmp_path):
    made = world["arms"]["real+synthetic"].synthetic
    world["arms"] = {
        "real": Arm(),
        "real+augmentation": Arm(options={"augment": 1.0}),
        "synthetic": Arm(made, real_defects=False),
        "real+synthetic": Arm(made),
    }
    settings = SETTINGS.model_copy(update={"seeds": 1})
    proof = run(world, tmp_path / "proof", settings)
    models = [tmp_path / "proof" / "units" / f"{arm}-0" / "model" for arm in world["arms"]]
    weights = {sha256_tree(model)["inspector.safetensors"] for model in models}
    assert len(weights) == len(proof.rows) == 4
    plan = Plan(world["train"], world["val"], world["split_folder"], world["arms"], settings, tmp_path / "plan")
    jobs = {arm: plan.job(arm, 0, 8, True) for arm in world["arms"]}
    labels = {arm: {entry.label for entry in Catalog.from_json(job.train)} for arm, job in jobs.items()}
    assert labels["synthetic"] == {GOOD}
    assert labels["real+augmentation"] == labels["real+synthetic"] == {GOOD, "dent"}
    assert jobs["real"].settings["inspector_options"] == TINY
    assert jobs["real+augmentation"].settings["inspector_options"] == {**TINY, "augment": 1.0}
    assert len({job.token for job in jobs.values()}) == 4


def test_trainings_take_turns_with_the_sets_of_an_arm(world, tmp_path):
    first, second = (plates(tmp_path / name, 0, 5, seed, contrast=40) for name, seed in (("one", 4), ("two", 5)))
    world["arms"]["real+synthetic"] = Arm(first, further=(second,))
    plan = Plan(world["train"], world["val"], world["split_folder"], world["arms"], SETTINGS, tmp_path / "plan")
    learnt = [plan.job("real+synthetic", seed, 8, True).synthetic for seed in range(4)]
    assert learnt == [first.to_json(), second.to_json()] * 2
    with pytest.raises(SettingsError, match=r"2 sets of synthetic images, but only 1 trainings"):
        run(world, tmp_path / "proof", SETTINGS.model_copy(update={"seeds": 1}))


@pytest.mark.parametrize("steps", [8, 0])
def test_a_wider_proof_trains_only_what_an_earlier_one_has_not(world, tmp_path, steps):
    asked = SETTINGS.model_copy(update={"steps": steps, "min_steps": 8, "max_steps": 12, "plan_seeds": 1})
    run(world, tmp_path / "narrow", asked)
    world["arms"] = {"real": Arm(), "real+augmentation": Arm(options={"augment": 1.0}), **world["arms"]}
    wider = asked.model_copy(update={"seeds": 3})
    trained = set()
    run(world, tmp_path / "wide", wider, earlier=tmp_path / "narrow", progress=lambda task, *_: trained.add(task))
    news = {"real-2", "real+synthetic-2", "real+augmentation-0", "real+augmentation-1", "real+augmentation-2"}
    assert trained == {f"train {name}" for name in news}
    run(world, tmp_path / "anew", wider)
    assert files_of(tmp_path / "wide") == files_of(tmp_path / "anew")


def test_nothing_is_taken_from_a_proof_of_other_images(world, tmp_path):
    run(world, tmp_path / "narrow")
    world["arms"]["real+synthetic"] = Arm(plates(tmp_path / "other", 0, 5, 9, contrast=5))
    trained = set()
    run(world, tmp_path / "new", earlier=tmp_path / "narrow", progress=lambda task, *_: trained.add(task))
    assert trained == {"train real+synthetic-0", "train real+synthetic-1"}


def test_a_leak_in_a_further_set_is_refused(world, tmp_path):
    made = world["arms"]["real+synthetic"].synthetic
    leaked = open_test(world["split_folder"]).entries[0].image
    copied = made.with_entries([*made, Entry("copy", leaked, GOOD, "x")])
    world["arms"]["real+synthetic"] = Arm(made, further=(copied,))
    with pytest.raises(LeakError, match=leaked.name):
        run(world, tmp_path / "proof")


def test_weights_replaced_under_their_old_name_are_noticed(world, tmp_path):
    weights = tmp_path / "weights.safetensors"
    settings = SETTINGS.model_copy(update={"inspector": "classifier", "inspector_options": {"weights": str(weights)}})

    def token():
        plan = Plan(world["train"], world["val"], world["split_folder"], world["arms"], settings, tmp_path / "plan")
        return plan.job("real", 0, 8, True).token

    weights.write_bytes(b"one")
    before = token()
    assert token() == before
    weights.write_bytes(b"other")
    assert token() != before


def test_arms_that_cannot_be_are_refused(world, tmp_path):
    world["arms"]["real"] = Arm(options={"augmnt": 1.0})
    with pytest.raises(SettingsError, match="augment"):
        run(world, tmp_path / "proof")
    world["arms"]["real"] = Arm(world["arms"]["real+synthetic"].synthetic, real_defects=False)
    with pytest.raises(SettingsError, match="learns from no real defect"):
        run(world, tmp_path / "proof")


def test_fewer_groups_measure_what_the_candidate_is_worth(world, tmp_path):
    """The curve's arms learn from a part of the groups and change nothing else: no verdict, no other training."""
    run(world, tmp_path / "plain")
    settings = SETTINGS.model_copy(update={"fewer_groups": (1, 9)})
    proof, plain_proof = run(world, tmp_path / "proof", settings), read_proof(tmp_path / "plain")
    assert [row["arm"] for row in proof.rows[::2]] == ["real@1", "real", "real+synthetic"]
    assert proof.results["groups_per_class"] == {"real@1": 1, "real": 2}
    assert proof.results["verdict"] == plain_proof.results["verdict"]
    assert [{**row, "seconds": 0} for row in proof.rows[2:]] == [{**row, "seconds": 0} for row in plain_proof.rows]
    assert {found["status"] for found in plain_proof.results["worth"].values()} == {"too few points"}
    assert "too few points" not in {found["status"] for found in proof.results["worth"].values()}
    for folder in ("plain", "proof"):
        Results.model_validate_json((tmp_path / folder / "results.json").read_text(), strict=True)


def test_a_ceiling_learns_from_what_was_set_aside_and_the_verdict_leaves_it_out(world, tmp_path):
    run(world, tmp_path / "plain")
    spare = set_aside(tmp_path / "spare", 3)
    world["arms"] = {"real": Arm(), "all_real": Arm(spare=spare), **world["arms"]}
    proof, plain_proof = run(world, tmp_path / "proof"), read_proof(tmp_path / "plain")
    assert [row["arm"] for row in proof.rows[::2]] == ["real", "all_real", "real+synthetic"]
    assert proof.results["ceilings"] == {"all_real": 5}
    assert proof.results["groups_per_class"] == {"real": 2}
    assert proof.results["verdict"] == plain_proof.results["verdict"]
    assert proof.results["against_best"] == plain_proof.results["against_best"]
    real, ceiling = ([row["pixel_ap"] for row in proof.rows if row["arm"] == arm] for arm in ("real", "all_real"))
    assert real != ceiling
    Results.model_validate_json((tmp_path / "proof" / "results.json").read_text(), strict=True)
    plan = Plan(world["train"], world["val"], world["split_folder"], world["arms"], SETTINGS, tmp_path / "plan")
    assert len(plan.job("all_real", 0, 8, True).train["entries"]) == len(world["train"]) + 3


@pytest.mark.parametrize("role", ["base", "candidate"])
def test_a_ceiling_is_neither_base_nor_candidate(world, tmp_path, role):
    world["arms"]["all_real"] = Arm(spare=set_aside(tmp_path / "spare", 3))
    settings = SETTINGS.model_copy(update={"candidate": "real+synthetic", role: "all_real"})
    with pytest.raises(SettingsError, match=f"the {role} 'all_real' .* is a ceiling"):
        run(world, tmp_path / "proof", settings)


def test_spare_images_of_a_sealed_part_are_a_leak(world, tmp_path):
    sealed = open_test(world["split_folder"]).labelled("dent")
    world["arms"] = {"real": Arm(), "all_real": Arm(spare=sealed), **world["arms"]}
    with pytest.raises(LeakError):
        run(world, tmp_path / "proof")


def test_shares_are_chosen_on_validation_and_not_trained_again(world, tmp_path):
    made = world["arms"]["real+synthetic"].synthetic
    world["arms"] = {"real": Arm(), "synthetic": Arm(made, real_defects=False), "real+synthetic": Arm(made)}
    settings = SETTINGS.model_copy(update={"shares": (0.9, 0.2), "plan_seeds": 1, "seeds": 2})
    told = []
    proof = run(world, tmp_path / "proof", settings, progress=lambda task, done, total, note="": told.append(task))
    sweep = proof.results["shares"]["real+synthetic"]
    assert list(proof.results["shares"]) == ["real+synthetic"]
    assert list(sweep["tried"]) == ["0.2", "0.9"]
    assert sweep["chosen"] == max((0.9, 0.2), key=lambda share: (sweep["tried"][f"{share:g}"], -share))
    units = {path.name for path in (tmp_path / "proof" / "units").iterdir() if path.is_dir()}
    mixed = {f"real+synthetic~{share:g}-0" for share in (0.2, 0.9)} | {f"real+synthetic~{sweep['chosen']:g}-1"}
    assert units == {"real-0", "real-1", "synthetic-0", "synthetic-1"} | mixed
    steps_trained = told.count("train real+synthetic-0")
    assert 0 < steps_trained <= 2 * settings.steps
    assert all(row["seconds"] > 0 for row in proof.rows)
    Results.model_validate_json((tmp_path / "proof" / "results.json").read_text(), strict=True)
    fixed = SETTINGS.model_copy(update={"synthetic_share": sweep["chosen"]})
    same = run(world, tmp_path / "fixed", fixed)
    assert [row["pixel_ap"] for row in same.rows] == [row["pixel_ap"] for row in proof.rows]


def test_units_that_kept_less_are_trained_again(world, tmp_path, monkeypatch):
    settings, trained = SETTINGS.model_copy(update={"seeds": 1}), set()
    with monkeypatch.context() as before:
        before.setattr(plan, "KEPT_VERSION", plan.KEPT_VERSION - 1)
        run(world, tmp_path / "before", settings)
    run(world, tmp_path / "now", settings, earlier=tmp_path / "before", progress=lambda task, *_: trained.add(task))
    assert trained == {"train real-0", "train real+synthetic-0"}


def test_shares_cannot_be_chosen_without_defects_to_look_at(world, tmp_path):
    world["val"] = world["val"].labelled(GOOD)
    with pytest.raises(SettingsError, match="none is defective"):
        run(world, tmp_path / "proof", SETTINGS.model_copy(update={"shares": (0.25, 0.5)}))
    assert not (tmp_path / "proof").exists()
