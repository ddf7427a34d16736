"""Every registered inspector can be trained, judges images, and survives being saved."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import Catalog, Entry, MaskFile
from flawsmith.inspectors import INSPECTORS
from flawsmith.inspectors.registry import Demanding

TINY = {
    "unet": {"width": 4, "crop": 32},
    "unet_small": {"width": 4},
    "classifier": {"backbone": "test_resnet", "size": 32},
    "classifier_small": {"width": 4, "stages": 2, "size": 32},
    "supersimplenet": {"backbone": "test_resnet", "weights": "random", "size": 72},
    "patchcore": {"backbone": "test_resnet", "weights": "random", "size": 72},
    "padim": {"backbone": "test_resnet", "weights": "random", "size": 72, "features": 20},
}


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


IMAGES = [np.zeros((64, 64, 1), np.uint8), np.full((50, 71, 1), 200, np.uint8)]


@pytest.fixture(params=list(INSPECTORS))
def family(request):
    found = INSPECTORS[request.param]
    if isinstance(found, Demanding):
        try:
            found.check_needs(found.settings(**TINY[request.param]))
        except SettingsError as error:
            pytest.skip(str(error))
    return found


@pytest.fixture
def settings(family, request):
    name = request.node.callspec.params["family"]
    return family.settings(**TINY[name], batch=4, steps=4, cycle=2)


def said(findings):
    """All that an inspector says, as one list of arrays."""
    maps = [] if findings.pixel_scores is None else findings.pixel_scores
    told = [] if findings.class_probabilities is None else [findings.class_probabilities]
    return [findings.image_scores, *maps, *told]


def same(ours, theirs):
    return len(ours) == len(theirs) and all((a == b).all() for a, b in zip(ours, theirs, strict=True))


def test_an_inspector_trains_judges_and_is_saved(family, settings, catalog, tmp_path):
    inspector = family.course(catalog, None, settings, seed=0).advance(4, tmp_path / "training")
    inspector.save(tmp_path / "model")
    findings = family.load(tmp_path / "model").inspect(IMAGES)
    assert same(said(findings), said(inspector.inspect(IMAGES)))
    assert findings.image_scores.shape == (2,)
    assert all(each.dtype == np.float32 and 0 <= each.min() <= each.max() <= 1 for each in said(findings))
    if findings.pixel_scores is not None:
        assert [scores.shape for scores in findings.pixel_scores] == [image.shape[:2] for image in IMAGES]
    if findings.class_probabilities is not None:
        assert findings.classes == ("good", "pit")
        assert findings.class_probabilities.sum(1) == pytest.approx(1, abs=1e-6)
    alone = [inspector.inspect([image]) for image in IMAGES]
    assert [float(each.image_scores[0]) for each in alone] == findings.image_scores.tolist()
    assert same(said(inspector.inspect(IMAGES[:1])), said(alone[0])), "what is asked together changes nothing"


def test_training_in_rounds_gives_what_training_in_one_go_gives(family, settings, catalog, tmp_path):
    whole = family.course(catalog, None, settings, seed=1).advance(4, tmp_path / "whole")
    family.course(catalog, None, settings, seed=1).advance(2, tmp_path / "rounds")
    rounds = family.course(catalog, None, settings, seed=1).advance(4, tmp_path / "rounds")
    assert same(said(whole.inspect(IMAGES)), said(rounds.inspect(IMAGES)))
    other = family.course(catalog, None, settings, seed=2).advance(4, tmp_path / "other")
    assert not same(said(whole.inspect(IMAGES)), said(other.inspect(IMAGES)))


def test_the_registry_loads_no_torch():
    code = "import sys, flawsmith.inspectors, flawsmith.proof.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
