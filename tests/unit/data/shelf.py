"""A shelf of images and masks on disk for the tests of export formats."""

import json

import numpy as np

from flawsmith.core.records import GOOD, Entry, MaskFile
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.writers import ExportItem

BIRTH = {"id": "x/0", "generator": "local", "seed": 3}
SIZE_HW = (50, 70)


class Shelf:
    """Makes entries on disk."""

    def __init__(self, root):
        self.root, self.rng = root, np.random.default_rng(0)

    def item(self, name, label=GOOD, masks=(), synthetic=False, split="train", suffix="png", pixels=None):
        image = self.rng.integers(0, 256, (*SIZE_HW, 3)).astype(np.uint8) if pixels is None else pixels
        file = self.root / f"{name}.{suffix}"
        write_image(file, image, {"flawsmith:birth": json.dumps(BIRTH)} if synthetic else None)
        files = []
        for number, mask in enumerate(masks):
            path = self.root / "masks" / f"{name}_{number}.png"
            write_mask(path, mask)
            files.append(MaskFile(path, label))
        entry = Entry(name, file, label, name, tuple(files))
        return ExportItem(entry, synthetic, split, BIRTH if synthetic else None)


def rows(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def square(top, left, side):
    mask = np.zeros(SIZE_HW, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def ring():
    return square(10, 10, 20) & ~square(15, 15, 6)


def mixed(shelf):
    return [
        shelf.item("good/a b", suffix="bmp"),
        shelf.item("good/é", split="val", suffix="tiff"),
        shelf.item("Kratzer groß/1", "Kratzer groß", [square(3, 4, 9)]),
        shelf.item("dent/1", "dent", [ring()], split="val"),
        shelf.item("dent/known class only", "dent"),
        shelf.item("dent/00000", "dent", [square(0, 0, 5), square(30, 50, 20)], synthetic=True),
        shelf.item("dent/00001", "dent", [square(45, 65, 5)], synthetic=True),
    ]
