"""WebDataset: SPLIT/(real|synthetic)/shard-NNNNNN.tar, read as a stream; per image KEY.png, KEY.mask.png, KEY.json."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flawsmith.core.files import written_whole
from flawsmith.data.image_io import png_bytes
from flawsmith.data.writers.folder import export_into, padding
from flawsmith.data.writers.items import ExportItem
from flawsmith.data.writers.numbered import Numbered, compact, numbered
from flawsmith.data.writers.outlines import instances_of
from flawsmith.data.writers.registry import WRITERS

MOST_IMAGES = 1000
MOST_BYTES = 2**30
"""A shard ends before it holds more than this; an image that is larger has a shard of its own."""


@WRITERS.register("webdataset")
def write_webdataset(items: Sequence[ExportItem], out: Path) -> None:
    """Write shards of at most 1000 images or 1 GiB; the same items always give the same bytes.

    KEY.mask.png says of each pixel which instance it belongs to: 1 is the first box of KEY.json, 0 is none; the union
    is whatever is above 0. Images without a mask go to unlocated/, as files.
    """
    write_shards(items, out, MOST_IMAGES, MOST_BYTES)


def write_shards(items: Sequence[ExportItem], out: Path, most_images: int, most_bytes: int) -> None:
    """Write shards of at most so many images and bytes. One image is in memory at a time."""
    width = padding(items)
    with export_into(items, out, "webdataset") as export:
        if export is None:
            return
        with ExitStack() as whole:
            open_shards: dict[str, Shards] = {}
            for item, sample in export.located(items, width):
                folder = f"{item.split}/{item.origin}"
                if folder not in open_shards:
                    open_shards[folder] = Shards(out / folder, most_images, most_bytes, whole)
                key = f"{item.origin}_{export.number(item.origin, width)}"
                found = numbered(instances_of(item, sample.defects), sample.size_hw)
                files = members(item, found)
                shard = open_shards[folder].add({f"{key}.{end}": content for end, content in files.items()})
                export.note(item, f"{key}.{next(iter(files))}", shard=shard.relative_to(out).as_posix())


def members(item: ExportItem, found: Numbered) -> dict[str, bytes]:
    """Return the files of one image by what follows the key's dot, the image itself first."""
    return {
        item.entry.image.suffix.lower().removeprefix("."): item.entry.image.read_bytes(),
        "mask.png": png_bytes(compact(found.owner)),
        "json": _json(item, found),
    }


def _json(item: ExportItem, found: Numbered) -> bytes:
    height, width = found.owner.shape
    data: Mapping[str, Any] = {
        "label": item.entry.label,
        "origin": item.origin,
        "split": item.split,
        "source": item.entry.id,
        "group": item.entry.group,
        "size_hw": [height, width],
        "labels": found.labels,
        "boxes_xyxy": found.boxes_xyxy,
        "birth": None if item.birth is None else dict(item.birth),
    }
    return json.dumps(data, sort_keys=True, ensure_ascii=False).encode()


class Shards:
    """The tar files of one folder, written one after the other; each takes its name when it is whole."""

    def __init__(self, folder: Path, most_images: int, most_bytes: int, whole: ExitStack) -> None:
        self._folder, self._most_images, self._most_bytes = folder, most_images, most_bytes
        self._open = whole.enter_context(ExitStack())
        self._path, self._begun, self._images, self._bytes = folder, 0, most_images, 0

    def add(self, files: Mapping[str, bytes]) -> Path:
        """Add the files of one image and return the path of the shard that holds them."""
        size = sum(len(content) for content in files.values())
        if self._images >= self._most_images or self._bytes + size > self._most_bytes:
            self._begin()
        for name, content in files.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            self._tar.addfile(head, io.BytesIO(content))
        self._images += 1
        self._bytes += size
        return self._path

    def _begin(self) -> None:
        self._open.close()
        self._path = self._folder / f"shard-{self._begun:06d}.tar"
        beside = self._open.enter_context(written_whole(self._path))
        self._tar = self._open.enter_context(tarfile.TarFile(beside, "w", format=tarfile.USTAR_FORMAT))
        self._begun, self._images, self._bytes = self._begun + 1, 0, 0
