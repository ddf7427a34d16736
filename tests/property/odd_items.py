"""Items to export with odd names, sizes, depths, files and masks."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from flawsmith.core.records import GOOD, Entry, MaskFile
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.readers.listing import MASK_FOLDERS, SPLIT_FOLDERS, is_good
from flawsmith.data.writers import ExportItem

ODD = ["a.b", " x", "x ", ".hidden", "..", "Kratzer groß", "a/b", "a,b", 'say "x"', "<a&b>", "'", "普通", "50%", "-0"]
TAKEN = {*MASK_FOLDERS, *SPLIT_FOLDERS, "images", "image", "imgs", "img"}
"""Folder names that say something else than a class to our readers."""
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
LABELS = st.one_of(st.sampled_from(ODD), TEXT).filter(lambda text: not is_good(text) and text.casefold() not in TAKEN)


@dataclass(frozen=True)
class Wish:
    """What an item shall be."""

    label: str
    size_hw: tuple[int, int]
    channels: int
    deep: bool
    suffix: str
    share: float
    synthetic: bool
    split: str


WISHES = st.builds(
    Wish,
    st.one_of(st.just(GOOD), LABELS),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.sampled_from([".png", ".TIF", ".bmp"]),
    st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]),
    st.booleans(),
    st.sampled_from(["train", "val", "test"]),
)
SETS = st.lists(WISHES, max_size=6)


def make(wishes, root, seed):
    """Write images and masks under `root`; returns the items with their true pixels and union masks."""
    rng = np.random.default_rng(seed)
    return [_item(wish, root, number, rng) for number, wish in enumerate(wishes)]


def _item(wish, root, number, rng):
    dtype = np.uint16 if wish.deep and wish.suffix != ".bmp" else np.uint8
    pixels = rng.integers(0, np.iinfo(dtype).max, (*wish.size_hw, wish.channels), endpoint=True).astype(dtype)
    image = root / f"{number}. ü{wish.suffix}"
    write_image(image, pixels)
    mask, files = np.zeros(wish.size_hw, bool), []
    for part in range(0 if wish.label == GOOD else 1 + number % 2):
        one = rng.random(wish.size_hw) < wish.share
        write_mask(root / f"{number}-{part}.png", one)
        files.append(MaskFile(root / f"{number}-{part}.png", wish.label))
        mask |= one
    entry = Entry(f"{number}/a.b c", image, wish.label, "g", tuple(files))
    birth = {"id": f"ü/{number}"} if wish.synthetic else None
    return ExportItem(entry, wish.synthetic, wish.split, birth), pixels, mask
