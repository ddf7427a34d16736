"""A tiny world of noise plates with two kinds of defect: dark squares and bright bars."""

import numpy as np
from PIL import Image

from flawsmith.core.records import Catalog, Entry, MaskFile


def plate(label, rng, depth):
    image = rng.normal(120, 10, (40, 48))
    mask = np.zeros(image.shape, bool)
    top, left = rng.integers(4, 24, 2)
    if label == "dent":
        mask[top : top + 9, left : left + 9] = True
        image[mask] -= 60
    elif label == "streak":
        mask[top : top + 3, left : left + 18] = True
        image[mask] += 70
    levels = image.clip(0, 255) * (1 if depth == 8 else 16)
    return levels.astype(np.uint8 if depth == 8 else np.uint16), mask


def write_plates(root, label_counts, seed, depth=8):
    rng, entries = np.random.default_rng(seed), []
    for label, count in label_counts.items():
        (root / label).mkdir(parents=True)
        for number in range(count):
            image, mask = plate(label, rng, depth)
            path, masks = root / label / f"{number:03d}.png", ()
            Image.fromarray(image).save(path)
            if mask.any():
                Image.fromarray(mask.astype(np.uint8) * 255).save(path.with_suffix(".mask.png"))
                masks = (MaskFile(path.with_suffix(".mask.png"), label),)
            entries.append(Entry(f"{label}/{number:03d}", path, label, f"{seed}-{label}-{number // 2}", masks))
    return Catalog("plates", root, "test", tuple(entries))
