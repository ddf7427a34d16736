"""The main job on real photographs: few-shot runs whose rows go to `results/proof.jsonl`, losing arms included.

    python benchmarks/proof_real.py magnetic_tile --out runs/magnetic_tile
    python benchmarks/proof_real.py mvtec_bottle --out runs/mvtec_bottle

The photographs are found in FLAWSMITH_DATA (default ../shared/data). Settings are in `settings/NAME.yaml`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import RESULTS, data_of, origin, rows_in, settings_of, write_rows

from flawsmith.apps.cli.progress import Shown
from flawsmith.core.files import read_json, write_json
from flawsmith.proof.prove import read_proof
from flawsmith.proof.statistics import METRICS
from flawsmith.recipes.run import Run, run, run_settings

SUMMARY = ("arms", "against_best", "against_base", "verdict", "steps", "test", "recall_at_fpr", "false_alarm_rate")
COLUMNS = (*METRICS, "steps", "seconds")


def rows(done: Run, dataset: str, groups: int | str, inspector: str) -> list[dict[str, Any]]:
    """Return one row per arm and seed."""
    same = {"dataset": dataset, "groups_per_class": groups, "inspector": inspector, **origin()}
    return [
        {**same, "arm": row["arm"], "seed": row["seed"], **{name: row[name] for name in COLUMNS}}
        for row in read_proof(done.folder / "prove").rows
    ]


def replace(file: str, new: list[dict[str, Any]]) -> None:
    """Write rows to a results file; rows of the same data set, budget, inspector and study give way."""
    keys = ("dataset", "groups_per_class", "inspector", "study")
    taken = {tuple(row.get(key) for key in keys) for row in new}
    kept = [row for row in rows_in(file) if tuple(row.get(key) for key in keys) not in taken]
    write_rows(file, [*kept, *new])


def stage_seconds(folder: Path) -> dict[str, float]:
    """Return what each stage of a run took, however often the run was interrupted in between stages."""
    return {path.parent.name: read_json(path)["seconds"] for path in sorted(folder.glob("*/timing.json"))}


def main() -> None:
    """Run, and keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["magnetic_tile", "mvtec_bottle"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("settings", nargs="*", help="key=value")
    asked = parser.parse_intermixed_args()
    data = data_of(asked.dataset)
    settings = run_settings(asked.out, settings_of(asked.dataset), asked.settings)
    with Shown() as progress:
        done = run(data, asked.out, settings=settings, progress=progress)
    groups = settings.split.shots or settings.split.method
    replace("proof.jsonl", rows(done, asked.dataset, groups, settings.proof.inspector))
    counts = read_json(asked.out / "generate" / "manifest.json")["counts"]
    summary = {name: done.results[name] for name in SUMMARY}
    seconds = stage_seconds(asked.out)
    write_json(
        RESULTS / f"{asked.dataset}.json",
        {**summary, "generated": counts, "groups_per_class": groups, "seconds": seconds, **origin()},
    )
    print(f"{done.verdict}\nwhole run {sum(seconds.values()):.0f} s; synthetic {counts}; report {done.report}")


if __name__ == "__main__":
    main()
