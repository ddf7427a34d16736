"""From voted images to suspects: which pictures stay together, what they look like, what they should be called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawsmith.core.errors import DataError
from flawsmith.core.protocols import Progress, silent
from flawsmith.core.records import Catalog
from flawsmith.data.image_io import read_image
from flawsmith.data.lookalikes import join_groups
from flawsmith.data.votes.features import features
from flawsmith.data.votes.settings import VoteSettings
from flawsmith.data.votes.suspects import INSTALL, Suspect, cleanlab_version, foretold, suspects


@dataclass(frozen=True)
class Doubts:
    """Suspects, the worst first (`place` counts the catalog's entries), and what there is to say of the search.

    `found` is None where there was no search; `note` then says why.
    """

    found: tuple[Suspect, ...] | None
    note: str


def doubts(catalog: Catalog, settings: VoteSettings, progress: Progress = silent) -> Doubts:
    """Look for labels of a catalog that the pictures of other groups contradict.

    Where that cannot be done, nothing else is done in its place: the note says what is missing.
    """
    if not settings.suspects:
        return Doubts(None, "Suspects were not looked for (suspects=false).")
    if cleanlab_version() is None:
        return Doubts(None, f"Suspects were not looked for: cleanlab is not installed ({INSTALL}).")
    entries = tuple(join_groups(catalog) if settings.join_lookalikes and len(catalog) else catalog)
    seen = []
    for number, entry in enumerate(entries, 1):
        seen.append(features(read_image(entry.image)))
        progress("suspects", number, len(entries), "")
    labels, groups = [entry.label for entry in entries], [entry.group for entry in entries]
    try:
        said = foretold(np.array(seen), labels, groups, settings.folds, settings.seed)
    except DataError as error:
        return Doubts(None, f"Suspects were not looked for: {error}.")
    return Doubts(tuple(suspects(labels, said)), _note(labels, [bool(np.isfinite(row).all()) for row in said.shares]))


def _note(labels: Sequence[str], judged: Sequence[bool]) -> str:
    left = sorted({label for label, was in zip(labels, judged, strict=True) if not was})
    note = f"{sum(judged)} of {len(judged)} voted labels were judged from pictures of other groups."
    return f"{note} Too few groups to judge all of: {', '.join(left)}." if left else note
