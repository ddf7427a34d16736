"""The only door to the sealed test part. Nothing but `flawsmith.proof` may import this module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flawsmith.core.errors import DataError, LeakError
from flawsmith.core.files import read_json
from flawsmith.core.records import Catalog
from flawsmith.data.loading import image_sha256, load_catalog
from flawsmith.data.splits import SPARE_FILE, TEST_FILE, TRAIN_FILE, VAL_FILE


def open_test(folder: Path) -> Catalog:
    """Return the test part that `write_splits` sealed in `folder`.

    Raises DataError where the part is missing or a test image has changed since, and LeakError where an image of
    another part has the same bytes as a test image, or belongs to the same group.
    """
    test, sealed = _read(folder / TEST_FILE)
    changed = [entry.id for entry in test if image_sha256(entry) != sealed.get(entry.id)]
    if changed or len(sealed) != len(test):
        raise DataError(f"{len(changed)} test images changed since the split, for example {changed[:3]}: split again")
    names = {digest: id for id, digest in sealed.items()}
    groups = {entry.group for entry in test}
    for file in (TRAIN_FILE, VAL_FILE, *([SPARE_FILE] if (folder / SPARE_FILE).is_file() else [])):
        for entry in load_catalog(folder / file):
            if entry.group in groups:
                raise LeakError(f"{entry.id} of {file} shares the group {entry.group!r} with test images: split again")
            twin = names.get(image_sha256(entry))
            if twin is not None:
                raise LeakError(f"{entry.id} of {file} is the same file as the test image {twin}: split again")
    return test


def _read(file: Path) -> tuple[Catalog, Mapping[str, str]]:
    try:
        data = read_json(file)
        return Catalog.from_json(data["catalog"]), dict(data["sha256"])
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file} is not a sealed test part ({error!r}): split the data first") from error
