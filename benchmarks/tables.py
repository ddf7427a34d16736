"""Write the tables of measured results into README.md and two pages of docs, from the files in `results/`.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import RESULTS, rows_in

README = Path(__file__).parent.parent / "README.md"
COMPARISON = Path(__file__).parent.parent / "docs" / "comparison.md"
ARMS = Path(__file__).parent.parent / "docs" / "arms.md"
METRICS = {"image_auroc": "image AUROC", "image_ap": "image AP", "pixel_auroc": "pixel AUROC", "pixel_ap": "pixel AP"}
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def cell(found: dict[str, float | None]) -> str:
    """Return a mean with its interval."""
    if found["mean"] is None:
        return "–"
    return f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def table(name: str, result: dict[str, Any]) -> list[str]:
    """Return the table of one data set."""
    seeds = result["arms"][0]["seeds"]
    test = result["test"]
    minutes = sum(result["seconds"].values()) / 60
    groups = result["groups_per_class"]
    budget = f"at most {groups} training groups per class" if isinstance(groups, int) else f"split by {groups}"
    head = [
        f"**{name}** ({budget}; {test['images']} sealed test images; "
        f"{seeds} seeds, {result['steps']} steps each; whole run {minutes:.0f} min on "
        f"{result['machine']}; commit {result['commit']})",
        "",
        "| arm | " + " | ".join(METRICS.values()) + " |",
        "|---" * (len(METRICS) + 1) + "|",
    ]
    rows = [
        f"| {arm['arm']} | " + " | ".join(cell(arm["metrics"][each]) for each in METRICS) + " |"
        for arm in result["arms"]
    ]
    return [*head, *rows, "", f"Verdict: **{result['verdict']['verdict']}**. {result['verdict']['sentence']}", ""]


def speeds() -> list[str]:
    """Return the table of speed measurements."""
    rows = rows_in("speed.jsonl")
    lines = [f"| {row['name']} | {row['value']} {row['unit']} | {row['commit']} |" for row in rows]
    return ["| speed and size | value | commit |", "|---|---|---|", *lines, ""] if lines else []


def compared() -> list[str]:
    """Return a table of all generators per data set and budget, those of the best pixel AP first."""
    rows = rows_in("generators.jsonl")
    lines = [] if rows else ["Not measured yet.", ""]
    for dataset, budget in sorted({(row["dataset"], row["budget_seconds"]) for row in rows}):
        mine = [row for row in rows if (row["dataset"], row["budget_seconds"]) == (dataset, budget)]
        first = mine[0]
        seeds = max(row["seeds"] for row in mine)
        mine.sort(key=lambda row: -((row["pixel_ap"] or {}).get("mean") or 0))
        lines += [
            f"**{dataset}** ({budget:.0f} s of training each; {seeds} seeds and "
            f"{first['proof_steps']} steps in the proof; {first['machine']}; commit {first['commit']})",
            "",
            "| " + " | ".join(COLUMNS) + " |",
            "|---" * len(COLUMNS) + "|",
            *("| " + " | ".join(each(row) for each in COLUMNS.values()) + " |" for row in mine),
            "",
        ]
    return lines


def all_arms() -> list[str]:
    """Return a table per data set of every arm by the number of real groups, and the verdicts."""
    lines = []
    studies = [
        dict(zip(("dataset", "groups"), row["name"].split(), strict=True)) | row for row in rows_in("arms.jsonl")
    ]
    for dataset in sorted({row["dataset"] for row in studies}):
        mine = sorted((row for row in studies if row["dataset"] == dataset), key=lambda row: int(row["groups"]))
        arms = list(dict.fromkeys(arm for row in mine for arm in row["arms"]))
        hours = ", ".join(f"{row['trainings']['core_seconds'] / 3600:.1f}" for row in mine)
        commits, machines, trainings = (
            " and ".join(dict.fromkeys(told))
            for told in zip(
                *((row["commit"], row["machine"], str(row["trainings"]["count"])) for row in mine), strict=True
            )
        )
        lines += [
            f"**{dataset}** ({mine[0]['test']['images']} sealed images of {mine[0]['test']['groups']} groups; "
            f"{trainings} trainings in {hours} core hours on {machines}; commit {commits})",
            "",
            "| arm | " + " | ".join(f"{row['groups']} groups" for row in mine) + " |",
            "|---" * (len(mine) + 1) + "|",
            *(f"| {arm} | " + " | ".join(marks(row["arms"].get(arm)) for row in mine) + " |" for arm in arms),
            "",
            *(f"- {row['groups']} groups: **{row['verdict']}**. {row['sentence']}" for row in mine),
            "",
        ]
    return lines or ["Not measured yet.", ""]


def marks(arm: dict[str, list[float]] | None) -> str:
    """Return an arm's means: class-mean pixel AP, pixel AP, image AP."""
    names = ("pixel_macro_ap", "pixel_ap", "image_ap")
    return " · ".join(f"{arm[name][0]:.3f}" if name in arm else "–" for name in names) if arm else "–"


def number(name: str, digits: int = 2) -> Callable[[dict[str, Any]], str]:
    """Return what shows a row's number of a name, or a dash."""
    return lambda row: "–" if row.get(name) is None else f"{row[name]:.{digits}f}"


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "generator": lambda row: row["generator"],
    "steps": lambda row: " + ".join(str(count) for count in row.get("steps", {}).values()) or "–",
    "fit s": number("fit_seconds", 0),
    "make s": number("generate_seconds", 0),
    "peak MB": number("peak_mb", 0),
    "accepted": lambda row: f"{row['accepted']} of {row['attempts']}" if "attempts" in row else "–",
    "copies": number("copy_rate"),
    "mask": number("mask_agreement"),
    "KID": number("kid"),
    "IC-LPIPS": number("ic_lpips"),
    "background": number("background_error", 3),
    "image AP": lambda row: cell(row["image_ap"]) if row["image_ap"] else "–",
    "pixel AP": lambda row: cell(row["pixel_ap"]) if row["pixel_ap"] else "–",
}


def replace(path: Path, lines: list[str]) -> None:
    """Replace what stands between the marks of a page."""
    body = "\n".join([BEGIN, "", *lines, END])
    path.write_text(re.sub(f"{BEGIN}(.*{END})?", lambda _: body, path.read_text(), flags=re.DOTALL))


def main() -> None:
    """Write all three."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    lines = [line for name, result in results.items() for line in table(name, result)] + speeds()
    replace(README, lines)
    replace(COMPARISON, compared())
    replace(ARMS, all_arms())


if __name__ == "__main__":
    main()
