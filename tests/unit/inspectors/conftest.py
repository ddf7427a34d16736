"""A tiny world of flat plates with dark squares."""

import numpy as np
import pytest
from PIL import Image

from flawsmith.core.records import Catalog, Entry, MaskFile


def plate_world(root, label_counts, seed=0, side=32):
    """Write noise plates; those that are not good carry a dark 8 px square with its mask."""
    rng = np.random.default_rng(seed)
    entries = []
    for label, count in label_counts.items():
        for number in range(count):
            image = rng.normal(150, 12, (side, side))
            name, masks = f"{label}/{number:03d}", ()
            (root / label).mkdir(parents=True, exist_ok=True)
            if label != "good":
                top, left = rng.integers(2, side - 10, 2)
                mask = np.zeros((side, side), bool)
                mask[top : top + 8, left : left + 8] = True
                image[mask] -= 60
                Image.fromarray(mask.astype(np.uint8) * 255).save(root / f"{name}_mask.png")
                masks = (MaskFile(root / f"{name}_mask.png", label),)
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"{name}.png")
            entries.append(Entry(name, root / f"{name}.png", label, f"{root.name}/{name}", masks))
    return Catalog(root.name, root, "test", tuple(entries))


@pytest.fixture(scope="session")
def plates(tmp_path_factory):
    """Return a function that makes a catalog from label counts."""
    numbers = iter(range(10**6))

    def make(**label_counts):
        number = next(numbers)
        return plate_world(tmp_path_factory.mktemp(f"plates{number}-"), label_counts, seed=number)

    return make
