"""identical_files: the same bytes under two classes or in two groups."""

from __future__ import annotations

from collections.abc import Iterator

from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import SET_CHECKS
from flawsmith.data.checks.survey import Survey


@SET_CHECKS.register("identical_files")
def identical_files(seen: Survey) -> Iterator[Problem]:
    """Yield the sets of identical files that show several classes, or lie in several groups of one class."""
    for same in seen.identical:
        names, files = ", ".join(entry.id for entry in same), tuple(entry.image for entry in same)
        labels, groups = sorted({entry.label for entry in same}), {entry.group for entry in same}
        if len(labels) > 1:
            text = f"one file under the classes {', '.join(labels)}: {names}; at most one of them is right"
            yield Problem(files[0], "identical_files", text, "warning", files[1:])
        elif len(groups) > 1:
            text = f"one file in {len(groups)} groups: {names}; they are kept on one side of the split"
            yield Problem(files[0], "identical_files", text, "warning", files[1:])
