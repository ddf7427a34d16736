"""The further arms of a proof, in a whole run."""

from tiny import TINY

import flawsmith
from flawsmith.core.settings import resolve
from flawsmith.recipes.settings import RunSettings

WANTED = 'arms=["augmented","unfiltered","synthetic_only"]'


def test_every_arm_asked_for_is_compared_and_reported(tmp_path):
    settings = resolve(RunSettings, None, [*TINY, WANTED, 'controls=["copy_paste","perlin"]'])
    done = flawsmith.run("demo", tmp_path / "run", settings=settings)
    arms = [row["arm"] for row in done.results["rows"]]
    assert arms == [
        "real",
        "real+augmentation",
        "real+copy_paste",
        "real+perlin",
        "real+unfiltered",
        "synthetic",
        "real+synthetic",
    ]
    page = done.report.read_text()
    assert all(f"<td>{arm}</td>" in page for arm in arms)
    assert done.results["verdict"]["candidate"] == "real+synthetic"
