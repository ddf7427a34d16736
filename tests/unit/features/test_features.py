"""Crops, the in-domain network and the extractor."""

import json
import shutil

import numpy as np
import pytest
import torch

from flawsmith.core.errors import DataError, SettingsError, StageError, TrainingError
from flawsmith.core.records import GOOD
from flawsmith.core.settings import resolve
from flawsmith.features.crops import Spot, crop_at, cut, defect_crops, good_crops, moved, spot_of, tones_of
from flawsmith.features.extractor import Extractor
from flawsmith.features.in_domain import CARD, WEIGHTS, fit_in_domain, open_in_domain
from flawsmith.features.opening import inception_extractor, open_features, vgg_extractor
from flawsmith.features.settings import FeatureSettings
from flawsmith.nets.features.inception import Inception3
from flawsmith.nets.features.seen import Seen
from flawsmith.nets.features.vgg import Vgg16
from plate_world import write_plates


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Two kinds of defect, six of each, and eight good plates."""
    return write_plates(tmp_path_factory.mktemp("plates"), {"good": 8, "dent": 6, "streak": 6}, 1)


SETTINGS = FeatureSettings(side=16, widths=(8, 16), steps=60, batch=12, learning_rate=5e-3)


def test_a_crop_holds_its_defect_and_its_surroundings():
    image = np.arange(100 * 80, dtype=np.uint16).reshape(100, 80, 1)
    spot = spot_of((10, 40, 20, 60), (100, 80), margin=0.5, least_px=24)
    assert spot == Spot((0.5, 15 / 80), 40)
    piece = cut(image, spot)
    assert piece.shape == (40, 40, 1)
    assert piece[0, 0, 0] == image[30, 0, 0], "moved inside the picture"
    assert cut(image, Spot((0.5, 0.5), 500)).shape == (80, 80, 1)
    assert spot_of((10, 40, 12, 41), (100, 80), 0.5, 24).side == 24


@pytest.mark.parametrize("middle", [(0.5, 0.5), (0.01, 0.02), (0.97, 0.6)])
def test_a_crop_keeps_its_surroundings_only_and_is_what_was_cut(middle):
    rng = np.random.default_rng(0)
    image, spot = rng.integers(0, 255, (120, 90, 3), np.uint8), Spot(middle, 20)
    crop = crop_at(image, spot, "dent", "a")
    assert max(crop.room.shape[:2]) <= 40
    assert crop.room.base is None
    assert np.array_equal(crop.image, cut(image, spot))


def test_crops_of_good_parts_are_like_those_of_defects(plates):
    found = defect_crops(plates, 0.5, 16)
    assert [crop.label for crop, _ in found] == ["dent"] * 6 + ["streak"] * 6
    assert {crop.group for crop, _ in found} == {entry.group for entry in plates if entry.label != GOOD}
    goods = good_crops(list(plates.labelled(GOOD)), [spot for _, spot in found], 20, np.random.default_rng(0))
    assert {crop.image.shape for crop in goods} == {crop.image.shape for crop, _ in found}
    assert {crop.label for crop in goods} == {GOOD}
    spots = [moved(Spot((0.5, 0.5), 20), (100, 100), 0.1, 1.25, np.random.default_rng(i)) for i in range(50)]
    assert all(16 <= each.side <= 25 and abs(each.middle[0] - 0.5) <= 0.02 for each in spots)


def test_sixteen_bit_tones_are_stretched_and_eight_bit_ones_left():
    image = np.linspace(1000, 3000, 400).astype(np.uint16).reshape(20, 20, 1)
    tones = tones_of([image])
    stretched = tones.stretch(image)
    assert (stretched.min(), stretched.max()) == (0, 65535)
    assert stretched.dtype == np.uint16
    assert tones_of([image.astype(np.uint8)]) is None


@pytest.fixture(scope="module")
def fitted(plates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    return fit_in_domain(plates, SETTINGS, folder), folder


def test_an_in_domain_network_tells_the_classes_of_defects_it_has_not_seen(fitted, tmp_path):
    extractor, _ = fitted
    fresh = [crop for crop, _ in defect_crops(write_plates(tmp_path, {"dent": 8, "streak": 8}, 7), 0.5, 24)]
    look = extractor.look([crop.image for crop in fresh])
    assert extractor.identity["classes"] == ["dent", "good", "streak"]
    told = [extractor.identity["classes"][number] for number in look.logits.argmax(1)]
    assert np.mean([word == crop.label for word, crop in zip(told, fresh, strict=True)]) > 0.8
    assert look.features.shape == (16, 16)
    assert [each.shape[1:] for each in look.maps] == [(8, 8, 8), (16, 4, 4)]


def test_it_is_the_same_twice_and_named_by_its_hash(fitted, plates, tmp_path):
    extractor, folder = fitted
    again = fit_in_domain(plates, SETTINGS, tmp_path / "again")
    other = fit_in_domain(plates, SETTINGS.model_copy(update={"seed": 1, "steps": 5}), tmp_path / "other")
    assert again.identity == extractor.identity
    assert other.identity["weights_sha256"] != extractor.identity["weights_sha256"]
    card = json.loads((folder / CARD).read_text())
    assert card["weights_sha256"] == extractor.identity["weights_sha256"]
    assert {path.name for path in folder.iterdir()} == {CARD, WEIGHTS}
    shutil.copy(tmp_path / "other" / WEIGHTS, tmp_path / "again" / WEIGHTS)
    with pytest.raises(StageError, match="is not the file"):
        open_in_domain(tmp_path / "again" / WEIGHTS)


def test_a_saved_network_is_used_again(fitted, plates, tmp_path):
    extractor, folder = fitted
    settings = SETTINGS.model_copy(update={"weights": folder / WEIGHTS})
    opened = open_features(plates, settings, tmp_path / "unused")
    assert opened.identity == extractor.identity
    assert not (tmp_path / "unused").exists()
    assert open_features(plates, FeatureSettings(net="none"), tmp_path) is None


def test_without_good_parts_or_masks_nothing_can_be_learnt(plates, tmp_path):
    for part in (plates.labelled(GOOD), plates.labelled("dent", "streak")):
        with pytest.raises(TrainingError, match=r"give both, or do without it \(quality\.net=none"):
            fit_in_domain(part, SETTINGS, tmp_path)


class Means:
    """Sees the mean of each channel and the picture itself."""

    def __call__(self, x_NCHW):
        return Seen(x_NCHW.mean((2, 3)), None, (x_NCHW,))


def test_pictures_of_any_size_depth_and_colour_are_looked_at():
    extractor = Extractor(Means(), {"name": "means"}, side=8)
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (30, 20, 1), np.uint8)
    deep = grey.astype(np.uint16) * 257
    look = extractor.look([grey, deep, np.repeat(grey, 3, 2), np.full((8, 8, 3), 255, np.uint8)] * 6)
    assert look.features.shape == (24, 3)
    assert look.maps[0].shape == (24, 3, 8, 8)
    assert look.logits is None
    assert look.features[1] == pytest.approx(look.features[0], abs=1e-6)
    assert look.features[2] == pytest.approx(look.features[0], abs=1e-6)
    assert look.features[3] == pytest.approx(1)
    with pytest.raises(DataError):
        extractor.look([])


def test_networks_from_files_look_and_are_named_by_their_hash(tmp_path):
    torch.save(Inception3().state_dict(), tmp_path / "inception.pth")
    torch.save(Vgg16().state_dict(), tmp_path / "vgg.pth")
    widths = (64, 128, 256, 512, 512)
    linear = {f"lin{number}.model.1.weight": torch.ones(1, width, 1, 1) for number, width in enumerate(widths)}
    torch.save(linear, tmp_path / "lpips.pth")
    image = [np.full((20, 20, 1), 90, np.uint8)]
    inception = inception_extractor(tmp_path / "inception.pth")
    vgg = vgg_extractor(tmp_path / "vgg.pth", tmp_path / "lpips.pth")
    assert inception.look(image).features.shape == (1, 2048)
    assert [each.shape[1] for each in vgg.look(image).maps] == [len(each) for each in vgg.lpips_weights] == [*widths]
    assert (inception.identity["name"], vgg.identity["name"]) == ("inception_v3", "vgg16")
    assert len({each.identity["weights_sha256"] for each in (inception, vgg)}) == 2
    assert vgg.identity["lpips_weights_sha256"] is not None


@pytest.mark.parametrize("pairs", [["net=vgg"], ["net=inception"], ["lpips_weights=x.pth"], ["net=resnet"]])
def test_impossible_settings_are_refused(pairs):
    with pytest.raises(SettingsError):
        resolve(FeatureSettings, None, pairs)
