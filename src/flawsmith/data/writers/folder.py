"""The folder an export is written into: whole or marked as unfinished, with a row about every image in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError, ImageError
from flawsmith.core.files import read_json, sha256_file, sha256_json, write_json, write_text, written_whole
from flawsmith.core.records import GOOD, Sample
from flawsmith.data.loading import load_sample, mask_content
from flawsmith.data.writers.items import ExportItem, safe_name

MANIFEST = "manifest.jsonl"
MARK = ".export.json"
"""Says which items the folder is for, and whether they are all there."""


class Export:
    """An export being written: copies images and notes each in the manifest."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.rows: list[str] = []
        self._counts: dict[str, int] = {}

    def number(self, folder: str, width: int) -> str:
        """Return the next number of a folder, padded with zeros so that names sort as they were given."""
        self._counts[folder] = self._counts.get(folder, -1) + 1
        return f"{self._counts[folder]:0{width}d}"

    def put(self, item: ExportItem, name: str, *, located: bool = True, **more: Any) -> None:
        """Copy the item's image, byte for byte, to `name` + its own suffix and note it in the manifest.

        `located` is False where the image shows a defect that no mask locates.
        """
        file = name + item.entry.image.suffix.lower()
        copy(item.entry.image, self.out / file)
        self.note(item, file, located=located, **more)

    def note(self, item: ExportItem, file: str, *, located: bool = True, **more: Any) -> None:
        """Note in the manifest that `file` is the item's image, which is written already."""
        row = {
            "file": file,
            "label": item.entry.label,
            "split": item.split,
            "synthetic": item.synthetic,
            "source": item.entry.id,
            "group": item.entry.group,
            "located": located,
            "birth": None if item.birth is None else dict(item.birth),
        }
        self.rows.append(json.dumps({**row, **more}, sort_keys=True, ensure_ascii=False) + "\n")

    def located(self, items: Iterable[ExportItem], width: int) -> Iterator[tuple[ExportItem, Sample]]:
        """Yield each item that is good or has masks, with its sample; put the others into unlocated/ meanwhile."""
        for item in items:
            sample = load_sample(item.entry)
            if is_located(sample):
                yield item, sample
            else:
                self._put_unlocated(item, width)

    def _put_unlocated(self, item: ExportItem, width: int) -> None:
        """Copy an image whose defect has no mask to `unlocated/CLASS`: in a split it would pass for a good one."""
        folder = f"unlocated/{item.origin}/{safe_name(item.entry.label)}"
        self.put(item, f"{folder}/{self.number(folder, width)}", located=False)


@contextmanager
def export_into(items: Sequence[ExportItem], out: Path, layout: str) -> Iterator[Export | None]:
    """Yield an `Export` into `out`, or None where the same items have been exported there already.

    An unfinished export is begun afresh. Raises DataError where the folder holds anything else, or two items are one.
    """
    _check(items)
    digest = sha256_json([layout, *(_identity(item) for item in items)])
    mark = read_json(out / MARK) if (out / MARK).is_file() else None
    if mark == {"items": digest, "whole": True}:
        yield None
        return
    _begin(out, unfinished=mark is not None and not mark["whole"])
    write_json(out / MARK, {"items": digest, "whole": False})
    export = Export(out)
    yield export
    write_text(out / MANIFEST, "".join(export.rows))
    write_json(out / MARK, {"items": digest, "whole": True})


def copy(source: Path, target: Path) -> None:
    """Copy a file byte for byte, whole."""
    with written_whole(target) as beside:
        shutil.copyfile(source, beside)


def padding(items: Sequence[ExportItem]) -> int:
    """Return how many digits number all items; at least 3."""
    return max(3, len(str(len(items))))


def is_located(sample: Sample) -> bool:
    """Return whether all that is wrong with a sample is under a mask (nothing is, on a good one)."""
    return sample.label == GOOD or bool(sample.defects)


def _begin(out: Path, unfinished: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    others = [path for path in out.iterdir() if path.name != MARK and not _is_part_of_mark(path)]
    if others and not unfinished:
        raise DataError(f"{out} already holds {others[0].name!r}: choose an empty folder for the export")
    for path in [*others, *(path for path in out.iterdir() if _is_part_of_mark(path))]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_part_of_mark(path: Path) -> bool:
    return path.name.startswith(f".{MARK}.") and path.name.endswith(".part")


def _check(items: Sequence[ExportItem]) -> None:
    seen: set[tuple[bool, str, str]] = set()
    for item in items:
        key = (item.synthetic, item.split, item.entry.id)
        if key in seen:
            raise DataError(f"{item.entry.id} ({item.origin}, {item.split}) is given twice: export each image once")
        seen.add(key)


def _identity(item: ExportItem) -> list[Any]:
    entry = item.entry
    plain = [entry.id, entry.label, entry.group, _sha256(entry.image), [mask_content(mask) for mask in entry.masks]]
    return [*plain, item.synthetic, item.split, item.birth]


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error}); it was there before: restore it") from error
