"""Every registered inspector can be trained, judges images, and survives being saved."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flawsmith.core.records import Catalog, Entry, MaskFile
from flawsmith.inspectors import INSPECTORS

TINY = {"unet": {"width": 4, "crop": 32}, "unet_small": {"width": 4}}


@pytest.fixture
def catalog(tmp_path):
    rng = np.random.default_rng(0)
    entries = []
    for number in range(4):
        image, mask = rng.integers(90, 110, (64, 64), np.uint8), np.zeros((64, 64), np.uint8)
        mask[20:30, 20:30] = 255
        label, masks = "good", ()
        if number % 2:
            image[mask > 0] = 20
            Image.fromarray(mask).save(tmp_path / f"{number}_mask.png")
            label, masks = "pit", (MaskFile(tmp_path / f"{number}_mask.png", "pit"),)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        entries.append(Entry(str(number), tmp_path / f"{number}.png", label, str(number), masks))
    return Catalog("pits", tmp_path, "test", tuple(entries))


@pytest.mark.parametrize("name", list(INSPECTORS))
def test_an_inspector_trains_judges_and_is_saved(name, catalog, tmp_path):
    family = INSPECTORS[name]
    settings = family.settings(**TINY[name], batch=4, steps=2)
    inspector = family.course(catalog, None, settings, seed=0).advance(2, tmp_path / "training")
    inspector.save(tmp_path / "model")
    images = [np.zeros((64, 64, 1), np.uint8), np.full((50, 71, 1), 200, np.uint8)]
    findings = family.load(tmp_path / "model").inspect(images)
    assert findings.image_scores.shape == (2,)
    for image, scores in zip(images, findings.pixel_scores, strict=True):
        assert scores.shape == image.shape[:2]
        assert scores.dtype == np.float32
        assert 0 <= scores.min() <= scores.max() <= 1
    again = inspector.inspect(images[::-1])
    assert (again.pixel_scores[1] == findings.pixel_scores[0]).all()


def test_the_registry_loads_no_torch():
    code = "import sys, flawsmith.inspectors, flawsmith.proof.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
