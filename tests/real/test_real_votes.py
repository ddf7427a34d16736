"""Three inspectors of real photographs: masks that differ in how they mark, miss and imagine; labels with mistakes."""

import base64
import csv
import io
import re
import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import cohen_kappa_score

import flawsmith
from flawsmith.core.records import GOOD
from flawsmith.data.image_io import read_image, write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import read_catalog

pytestmark = pytest.mark.real

WHO = ("anna", "ben", "cem")
MISSED, IMAGINED, MOVED = 2, 2, 4
WRONG = 6


def rows(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def one_per_group(catalog, label, count):
    firsts = {entry.group: entry for entry in reversed(catalog.labelled(label).entries)}
    return list(firsts.values())[::-1][:count]


def marked_by(who, label, number, truth):
    """What an inspector marks: anna the truth; ben too widely, cem some beside it; both miss and cem imagines some."""
    if who == "ben":
        missed = label == "Blowhole" and number < MISSED
        return truth & ~truth if missed else ndimage.binary_dilation(truth, iterations=2)
    if who == "cem" and label == "Blowhole" and number == 0:
        return truth & ~truth
    if who == "cem" and label == "Crack" and number < MOVED:
        return np.roll(truth, (9, 9), (0, 1))
    if who == "cem" and label == GOOD and number < IMAGINED:
        spot = np.zeros_like(truth)
        spot[20:28, 20:28] = True
        return spot
    return truth


@pytest.fixture(scope="module")
def tiles(real_data, tmp_path_factory):
    """The folder of photographs, and what each inspector marked by image and name."""
    if not (real_data / "magnetic_tile").is_dir():
        pytest.skip(f"no magnetic_tile in {real_data}")
    catalog = read_catalog(real_data / "magnetic_tile")
    root = tmp_path_factory.mktemp("tiles")
    marked = {}
    for label, count in ((GOOD, 10), ("Blowhole", 12), ("Crack", 8)):
        for number, entry in enumerate(one_per_group(catalog, label, count)):
            name = f"{label}/{number:02d}"
            (root / "set" / label).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.image, root / f"set/{name}.jpg")
            truth = load_sample(entry).mask
            marked[f"{name}.jpg"] = {who: marked_by(who, label, number, truth) for who in WHO}
            for who, mask in marked[f"{name}.jpg"].items():
                write_mask(root / who / f"{name}.png", mask)
    return root, marked


@pytest.fixture(scope="module")
def counted(tiles):
    root, _ = tiles
    by = {who: root / who for who in WHO}
    return flawsmith.votes(root / "set", by, root / "out", draws=200, suspects=False)


def overlap(masks):
    """The mean intersection over union of every two."""
    pairs = [(one & other, one | other) for one, other in combinations(masks.values(), 2)]
    return np.mean([both.sum() / either.sum() if either.any() else 1.0 for both, either in pairs])


def test_the_majority_is_voted(tiles, counted):
    _, marked = tiles
    said = {image: sum(mask.any() for mask in masks.values()) for image, masks in marked.items()}
    assert counted.labels == {image: "defect" if votes >= 2 else GOOD for image, votes in said.items()}
    assert counted.labels["Blowhole/00.jpg"] == GOOD, "two of three missed it"
    assert len(counted.labels) == 30


def test_kappas_are_those_of_scikit_learn_and_of_the_formula(tiles, counted):
    _, marked = tiles
    codes = np.array([[int(mask.any()) for mask in masks.values()] for masks in marked.values()])
    for pair in counted.agreement["cohen"]:
        one, other = WHO.index(pair["one"]), WHO.index(pair["other"])
        assert pair["kappa"] == pytest.approx(cohen_kappa_score(codes[:, one], codes[:, other]))
        assert pair["low"] <= pair["kappa"] <= pair["high"]
    counts = np.stack([3 - codes.sum(1), codes.sum(1)], axis=1)
    by_chance = ((counts.sum(0) / counts.sum()) ** 2).sum()
    observed = ((counts**2).sum(1) - 3).mean() / 6
    assert counted.agreement["fleiss"]["kappa"] == pytest.approx((observed - by_chance) / (1 - by_chance))
    assert 0.6 < counted.agreement["fleiss"]["kappa"] < 0.95


def test_what_they_see_differently_is_listed_the_least_agreed_first(tiles, counted):
    _, marked = tiles
    unlike = {image for image, masks in marked.items() if len({bool(mask.any()) for mask in masks.values()}) > 1}
    assert unlike == {"Blowhole/00.jpg", "Blowhole/01.jpg", "good/00.jpg", "good/01.jpg"}
    apart = {image for image, masks in marked.items() if overlap(masks) < 0.5}
    assert {f"Crack/{number:02d}.jpg" for number in range(MOVED)} <= apart
    listed = [row["image"] for row in rows(counted.folder / "ambiguous.csv")]
    assert set(listed) == unlike | apart
    assert set(listed[: len(unlike)]) == unlike


def test_masks_are_voted_pixel_by_pixel(tiles, counted):
    _, marked = tiles
    for row in rows(counted.folder / "votes.csv"):
        masks = marked[row["image"]]
        wanted = sum(mask.astype(int) for mask in masks.values()) >= 2
        if row["mask"]:
            np.testing.assert_array_equal(read_image(counted.folder / row["mask"])[..., 0] > 0, wanted)
        else:
            assert wanted.any() == (row["label"] == GOOD), "the masks contradict the label"
        assert float(row["mask_overlap"]) == pytest.approx(overlap(masks), abs=1e-4)


def test_the_page_shows_the_photographs(counted):
    text = counted.page.read_text(encoding="utf-8")
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    unclear = rows(counted.folder / "ambiguous.csv")
    assert len(pictures) >= len(unclear) + 20
    assert all(row["image"] in text for row in unclear)
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
            assert np.asarray(image).std() > 3, "a photograph, not a blank tile"


def test_labels_that_the_photographs_contradict_are_suspects(real_data, tmp_path):
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    if not (real_data / "neu_900").is_dir():
        pytest.skip(f"no neu_900 in {real_data}")
    steel = read_catalog(real_data / "neu_900", layout="folder")
    labels = {}
    for label in steel.defect_labels:
        for number, entry in enumerate(steel.labelled(label).entries[:40]):
            image = f"{label}_{number:02d}{entry.image.suffix}"
            (tmp_path / "set").mkdir(exist_ok=True)
            shutil.copyfile(entry.image, tmp_path / "set" / image)
            labels[image] = label
    turned = list(labels)[:: len(labels) // WRONG][:WRONG]
    names = list(steel.defect_labels)
    wrong = {image: names[(names.index(labels[image]) + 1) % len(names)] for image in turned}
    for who in WHO[:2]:
        lines = [f"{image},{label}" for image, label in (labels | wrong).items()]
        (tmp_path / f"{who}.csv").write_text("\n".join(["file,label", *lines]), encoding="utf-8")
    done = flawsmith.votes(
        tmp_path / "set", {who: tmp_path / f"{who}.csv" for who in WHO[:2]}, tmp_path / "out", draws=20
    )
    found = {row["image"]: row["looks_like"] for row in rows(done.folder / "suspects.csv")}
    assert len(found.keys() & wrong.keys()) >= WRONG - 1
    assert len(found) <= WRONG + 4
    assert all(found[image] == labels[image] for image in found.keys() & wrong.keys())
