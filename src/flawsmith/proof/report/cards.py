"""Model card and data card in Markdown: what was learnt and made, for people who meet the files without the run."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flawsmith.core.records import GOOD
from flawsmith.core.store import Manifest
from flawsmith.proof.report.render import fits, share
from flawsmith.proof.report.templates import templates
from flawsmith.proof.titles import titles

_MARKS = re.compile(r"([\\`*\[|]|(?<![^\W_])_|_(?![^\W_]))")
"""What Markdown reads as mark-up; an underline within a word it leaves alone."""


@dataclass(frozen=True)
class CardData:
    """What the cards are written from.

    `stages` are the manifests of the finished stages by name, `proof` is results.json, `split_rows` the images and
    groups per class and part, `problems` counts what the check found by severity, `kept` the synthetic images in use by
    class, and `thresholds` what each gate asks for by class.
    """

    name: str
    stages: Mapping[str, Manifest]
    proof: Mapping[str, Any]
    split_rows: Sequence[Mapping[str, Any]]
    problems: Mapping[str, int]
    kept: Mapping[str, int]
    thresholds: Mapping[str, Mapping[str, float]]

    @property
    def labels(self) -> list[str]:
        """The defect classes."""
        return [str(row["class"]) for row in self.split_rows if row["class"] != GOOD]

    @property
    def candidate(self) -> str:
        """The arm the verdict is about."""
        return str(self.proof["verdict"]["candidate"])

    def inspectors(self) -> dict[str, str]:
        """Return the SHA-256 of each file of the candidate's inspectors by its path in the folder prove."""
        arms = [
            f"units/{row['arm']}-{row['seed']}/model/" for row in self.proof["rows"] if row["arm"] == self.candidate
        ]
        files = self.stages["prove"].files
        return {name: digest for name, digest in files.items() if name.startswith(tuple(arms))}

    def controls(self) -> dict[str, Manifest]:
        """Return the manifests of the images that were made for comparison only."""
        return {name: each for name, each in self.stages.items() if name.startswith(("control_", "unfiltered"))}


def model_card(data: CardData) -> str:
    """Return the card of the inspector and the generator as Markdown."""
    return _render("model_card.md.jinja", data)


def data_card(data: CardData) -> str:
    """Return the card of the real and the synthetic images as Markdown."""
    return _render("data_card.md.jinja", data)


def _render(template: str, data: CardData) -> str:
    package = "flawsmith.proof.report"
    environment = templates(package, autoescape=False, finalize=escaped, keep_trailing_newline=True)
    environment.filters.update(share=share, flat=flat)
    environment.globals.update(table=table)
    metrics = titles(data.proof["false_alarm_rate"])
    judged = {name: metrics[name] for name in (*data.proof["verdict"]["metrics"], "recall_at_fpr")}
    return environment.get_template(template).render(data=data, metrics=metrics, judged=judged, fits=fits(data.proof))


class Markdown(str):
    """Text that is Markdown already."""


def escaped(value: Any) -> str:
    r"""Return a value as Markdown that shows its text and nothing else: no mark-up, no new line, no HTML.

    >>> print(escaped("_a_b_ |*c* <i>"))
    \_a_b\_ \|\*c\* &lt;i&gt;
    """
    if isinstance(value, Markdown):
        return value
    return _MARKS.sub(r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markdown:
    """Return a table whose cells are escaped.

    >>> print(table(["gate", "attempts"], [["visible", 3]]))
    | gate | attempts |
    | --- | --- |
    | visible | 3 |
    """
    lines = [list(map(escaped, head)), ["---"] * len(head), *(list(map(escaped, row)) for row in rows)]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested settings with their dotted names.

    >>> dict(flat({"net": {"widths": [8, 16]}, "side": 32}))
    {'net.widths': '8, 16', 'side': 32}
    """
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "–" if value in (None, "", {}) else value
