"""The comparison of synthetic with real defects."""

import json

import numpy as np
import pytest
from PIL import Image
from test_report import PROOF

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.records import GOOD, Catalog, Entry, MaskFile
from flawsmith.features.extractor import Look
from flawsmith.metrics.generation import fid
from flawsmith.proof.quality.assess import MAP, QUALITY, Material, assess, plain
from flawsmith.proof.quality.background import against_backgrounds
from flawsmith.proof.quality.compare import compare_quality, read_quality
from flawsmith.proof.quality.numbers import cautions, coverage, halves, picture_numbers, score, set_numbers
from flawsmith.proof.quality.plane import check_method, drawn
from flawsmith.proof.quality.settings import QualitySettings
from flawsmith.proof.report.data import ReportData
from flawsmith.proof.report.render import render
from plate_world import write_plates

SETTINGS = QualitySettings(side=16, widths=(8, 16), steps=30, batch=12, learning_rate=5e-3, least_px=16, most=40)


def synthetic(train, root, count, reach=3):
    """Dents and streaks laid on good plates: pixels change up to `reach` from the mask."""
    rng, entries, background_of = np.random.default_rng(5), [], {}
    goods = list(train.labelled(GOOD))
    for number in range(count):
        label = ("dent", "streak")[number % 2]
        background = goods[number % len(goods)]
        image = np.asarray(Image.open(background.image)).astype(float)
        mask = np.zeros(image.shape, bool)
        top, left = rng.integers(8, 18, 2)
        mask[top : top + (9 if label == "dent" else 3), left : left + (9 if label == "dent" else 18)] = True
        near = np.zeros_like(mask)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        near[rows[0] - reach : rows[-1] + reach + 1, columns[0] - reach : columns[-1] + reach + 1] = True
        image[near] += -20 if label == "dent" else 20
        image[mask] += -40 if label == "dent" else 50
        name = f"{label}/{number:03d}"
        (root / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"{name}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / f"{name}.mask.png")
        masks = (MaskFile(root / f"{name}.mask.png", label),)
        entries.append(Entry(name, root / f"{name}.png", label, background.group, masks, "train"))
        background_of[name] = background.id
    return Catalog("synthetic", root, "flawsmith", tuple(entries)), background_of


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    root = tmp_path_factory.mktemp("quality")
    train = write_plates(root / "train", {"good": 8, "dent": 8, "streak": 2}, 1)
    val = write_plates(root / "val", {"good": 2, "dent": 4}, 2)
    return Material(train, val, *synthetic(train, root / "made", 12), gap_px=3)


@pytest.fixture(scope="module")
def assessed(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("assessed")
    return assess(material, SETTINGS, folder), folder


def test_the_numbers_are_there_with_the_network_s_name_and_their_yardsticks(assessed):
    found, folder = assessed
    assert json.loads((folder / QUALITY).read_text()) == found
    assert found["net"]["name"] == "in_domain"
    assert len(found["net"]["weights_sha256"]) == 64
    assert set(found["classes"]) == {"dent", "streak"}
    dent = found["classes"]["dent"]
    assert dent["counts"] == {"real": 8, "groups": 4, "synthetic": 6, "unseen": 4}
    for name in ("synthetic", "real_halves", "real_unseen"):
        assert dent["sets"][name]["kid_error"] > 0
        assert dent["sets"][name]["fid"] > 0
    assert 0 <= dent["sets"]["synthetic"]["precision"] <= 1
    assert dent["pictures"]["synthetic"]["lpips_to_nearest"] > 0
    assert dent["pictures"]["real"]["lpips_to_nearest"] > 0
    assert 1 <= found["all"]["inception_score"]["synthetic"] <= 3
    assert any("trained on the real crops" in said for said in found["cautions"])


def test_too_few_pictures_are_said_to_be_too_few(assessed):
    found, _ = assessed
    streak = found["classes"]["streak"]
    assert streak["sets"]["synthetic"] == dict.fromkeys(("fid", "kid", "kid_error", "precision", "recall"))
    assert any("may not be quoted" in said for said in found["classes"]["dent"]["cautions"])
    assert any("one group" in said for said in streak["cautions"])
    assert cautions(500, 500, 40, 128) == []


def test_outside_the_masks_nothing_has_changed(assessed, material):
    background = assessed[0]["background"]
    assert background["images"] == background["unchanged_outside"] == 12
    assert background["largest_error_outside"] == 0
    assert background["least_ssim_outside"] == 1
    assert 0 < background["ssim"] < 1
    closer = against_backgrounds(material.made, material.train, material.background_of, 1, 200)
    assert closer["unchanged_outside"] == 0
    assert closer["largest_error_outside"] == pytest.approx(20 / 255)
    assert closer["least_ssim_outside"] < 1


def test_the_map_holds_every_crop_and_the_page_shows_it(assessed):
    found, folder = assessed
    plane = json.loads((folder / MAP).read_text())
    origins = [point["origin"] for point in plane["points"]]
    assert (origins.count("real"), origins.count("synthetic")) == (10, 12)
    assert origins.count("good") == SETTINGS.most
    assert plane["net"] == found["net"]
    data = ReportData("plates", "local", [], PROOF, [], [], "run", "seed: 0", quality=found | {"map": plane})
    page = render(data)
    assert found["net"]["weights_sha256"][:16] in page
    assert "dent, synthetic" in page
    assert "12 of 12 images equal their background" in page
    assert "may not be quoted" in page
    assert 'id="quality"' not in render(ReportData("plates", "local", [], PROOF, [], [], "run", "seed: 0"))


def test_without_a_network_only_the_background_is_compared(material, tmp_path):
    found = assess(material, QualitySettings(net="none"), tmp_path)
    assert found["net"] is None
    assert found["background"]["images"] == 12
    assert [path.name for path in tmp_path.iterdir()] == [QUALITY]
    data = ReportData("plates", "local", [], PROOF, [], [], "run", "seed: 0", quality=found | {"map": None})
    assert "no distances" in render(data)
    with pytest.raises(DataError, match="none"):
        compare_quality(found, found)


def test_numbers_of_different_networks_are_not_compared(assessed, tmp_path):
    found, folder = assessed
    rows = compare_quality(found, read_quality(folder / QUALITY))
    assert [row["class"] for row in rows] == ["all", "dent", "streak"]
    assert rows[1]["kid"] == (found["classes"]["dent"]["sets"]["synthetic"]["kid"],) * 2
    for change in ({"weights_sha256": "0"}, {"name": "vgg16"}, {"lpips_weights_sha256": "0"}, {"side": 32}):
        with pytest.raises(DataError, match=rf"cannot be compared: net differs in {next(iter(change))}"):
            compare_quality(found, found | {"net": found["net"] | change})
    with pytest.raises(DataError, match="crops differs in margin"):
        compare_quality(found, found | {"crops": found["crops"] | {"margin": 1.0}})
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(DataError, match="quality"):
        read_quality(tmp_path / "other.json")


def test_halves_share_no_group():
    groups = ["a", "b", "a", "c", "b", "d"]
    one, other = halves(groups)
    assert {groups[place] for place in one} & {groups[place] for place in other} == set()
    assert sorted([*one, *other]) == list(range(6))


def test_set_numbers_are_those_of_the_metrics_and_far_sets_are_far():
    rng = np.random.default_rng(0)
    real, near, far = (rng.normal(size=(40, 4)) + shift for shift in (0, 0, 3))
    found = set_numbers(real, [str(number // 2) for number in range(40)], near, far)
    assert found["synthetic"]["fid"] == pytest.approx(fid(real, near))
    assert found["real_unseen"]["kid"] > 10 * abs(found["synthetic"]["kid"])
    assert abs(found["synthetic"]["kid"]) < 4 * found["synthetic"]["kid_error"]
    assert found["real_halves"]["fid"] < found["real_unseen"]["fid"]
    assert coverage(real, far[:3]) == {"precision": None, "recall": None}


def test_copies_are_near_to_real_ones_and_not_varied():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(6, 4, 3, 3))

    def look(maps):
        return Look(maps.mean((2, 3)), None, (maps,))

    groups = list("aabbcc")
    copies = picture_numbers(look(real), groups, look(np.repeat(real, 3, 0)), None)
    fresh = picture_numbers(look(real), groups, look(rng.normal(size=(18, 4, 3, 3))), None)
    assert copies["synthetic"]["lpips_to_nearest"] == pytest.approx(0, abs=1e-9)
    assert copies["synthetic"]["ic_lpips"] == pytest.approx(0, abs=1e-9)
    assert copies["synthetic"]["clusters"] == 6
    assert fresh["synthetic"]["ic_lpips"] > 0.5
    assert fresh["real"]["lpips_to_nearest"] == copies["real"]["lpips_to_nearest"] > 0.3
    alone = picture_numbers(look(real), ["a"] * 6, look(real), None)
    assert alone["real"] == {"lpips_to_nearest": None, "lpips_of_pairs": None}


def test_the_score_is_of_the_network_s_own_classes():
    assert score(100 * np.eye(3)) == pytest.approx(3)
    assert score(np.zeros((5, 3))) == pytest.approx(1)


def test_the_plane_keeps_clusters_apart_and_unknown_methods_are_told():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(20, 5)), rng.normal(size=(20, 5)) + 50])
    origins = [("real", "dent")] * 20 + [("good", "good")] * 20
    found = drawn(origins, features, "tsne", 2**40)["points"]
    places = np.array([(point["x"], point["y"]) for point in found])
    one, other = places[:20], places[20:]
    assert np.linalg.norm(one.mean(0) - other.mean(0)) > max(one.std(), other.std())
    assert found == drawn(origins, features, "tsne", 2**40)["points"]
    assert drawn(origins, features, "none", 0) is None
    assert drawn(origins[:4], features[:4], "tsne", 0) is None
    check_method("tsne")


def test_umap_without_its_package_is_refused():
    try:
        import umap  # noqa: F401
    except ImportError:
        with pytest.raises(SettingsError, match="umap-learn"):
            check_method("umap")
    else:
        check_method("umap")


def test_what_is_not_finite_is_written_as_nothing():
    assert plain({"a": [float("nan"), 1 / 3, 2], "b": None}) == {"a": [None, 0.333333, 2], "b": None}
