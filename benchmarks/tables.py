"""Write the table of measured results into README.md, from the files in `results/`.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from common import RESULTS

README = Path(__file__).parent.parent / "README.md"
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
    path = RESULTS / "speed.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    lines = [f"| {row['name']} | {row['value']} {row['unit']} | {row['commit']} |" for row in rows]
    return ["| speed and size | value | commit |", "|---|---|---|", *lines, ""] if lines else []


def main() -> None:
    """Replace what stands between the marks."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    lines = [line for name, result in results.items() for line in table(name, result)] + speeds()
    body = "\n".join([BEGIN, "", *lines, END])
    README.write_text(re.sub(f"{BEGIN}(.*{END})?", lambda _: body, README.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main()
