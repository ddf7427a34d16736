"""Every layout, written small and read back; detection; groups; loading."""

from dataclasses import replace

import numpy as np
import pytest

from flawsmith.core.errors import DataError, ImageError, LayoutError
from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD, Entry, MaskFile
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import (
    catalog_digest,
    identical_files,
    image_sha256,
    instances,
    load_catalog,
    load_sample,
    save_catalog,
)
from flawsmith.data.readers import READERS, detect, read_catalog

BLOT = np.pad(np.ones((2, 3), bool), 3)


def put(root, *names):
    """Write an image per name, each with other pixels, or a mask where the name tells so."""
    for number, name in enumerate(names):
        path = root / name
        if "mask" in name or "ground_truth" in name:
            write_mask(path, BLOT)
        elif path.suffix.lower() == ".jpg":
            from PIL import Image as Pillow

            path.parent.mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(np.full(BLOT.shape, 20 + 5 * number, np.uint8)).save(path)
        else:
            write_image(path, np.full((*BLOT.shape, 1), number, np.uint8))


def seen(catalog):
    return {entry.id: (entry.label, [mask.path.name for mask in entry.masks], entry.split) for entry in catalog}


def test_mvtec(tmp_path):
    put(tmp_path, "train/good/000.png", "test/good/000.png", "test/broken large/003.PNG", "test/Krätzer/10.png")
    put(tmp_path, "ground_truth/broken large/003_mask.png", "ground_truth/Krätzer/10.png")
    assert detect(tmp_path) == "mvtec"
    assert seen(read_catalog(tmp_path)) == {
        "train/good/000": (GOOD, [], "train"),
        "test/good/000": (GOOD, [], "test"),
        "test/broken large/003": ("broken large", ["003_mask.png"], "test"),
        "test/Krätzer/10": ("Krätzer", ["10.png"], "test"),
    }


def test_mvtec_with_defects_to_train_on(tmp_path):
    put(tmp_path, "train/good/0.png", "train/hole/1.png", "test/hole/2.png", "ground_truth/hole/1_mask.png")
    assert seen(read_catalog(tmp_path))["train/hole/1"] == ("hole", ["1_mask.png"], "train")
    put(tmp_path, "test/hole/1.png")
    with pytest.raises(DataError, match=r"1_mask\.png may belong to .*ground_truth/train/hole"):
        read_catalog(tmp_path)
    put(tmp_path, "ground_truth/train/hole/1_mask.png")
    masks = {entry.id: [mask.path for mask in entry.masks] for entry in read_catalog(tmp_path)}
    assert masks["train/hole/1"] == [tmp_path / "ground_truth/train/hole/1_mask.png"]
    assert masks["test/hole/1"] == [tmp_path / "ground_truth/hole/1_mask.png"]


def test_folder_per_class_without_masks(tmp_path):
    put(tmp_path, "Defect-Free/a 1.jpg", "Defect-Free/b.BMP", "kratzer/ä.tiff", "kratzer/.hidden.png")
    (tmp_path / "notes").mkdir()
    assert detect(tmp_path) == "folder"
    assert seen(read_catalog(tmp_path)) == {
        "Defect-Free/a 1": (GOOD, [], None),
        "Defect-Free/b": (GOOD, [], None),
        "kratzer/ä": ("kratzer", [], None),
    }


def test_folder_per_class_with_masks_in_either_place(tmp_path):
    put(tmp_path, "ok/images/1.png", "hole/images/2.png", "hole/images/10.png", "hole/masks/2.png", "dent/7.png")
    put(tmp_path, "masks/dent/7_mask.png", "masks/ok/1.png")
    catalog = read_catalog(tmp_path)
    assert catalog.layout == "folder"
    assert seen(catalog) == {
        "ok/1": (GOOD, [], None),
        "hole/2": ("hole", ["2.png"], None),
        "hole/10": ("hole", [], None),
        "dent/7": ("dent", ["7_mask.png"], None),
    }
    assert [entry.id for entry in catalog.labelled("hole")] == ["hole/2", "hole/10"]


def test_classes_under_images_beside_masks(tmp_path):
    put(tmp_path, "images/rust/1.png", "masks/rust/1.png")
    assert seen(read_catalog(tmp_path)) == {"rust/1": ("rust", ["1.png"], None)}


def test_pairs_beside_each_other(tmp_path):
    put(tmp_path, "MT_Hole/Imgs/a.jpg", "MT_Hole/Imgs/b.jpg", "MT_Hole/Imgs/a.png", "MT_Hole/Imgs/b.png")
    put(tmp_path, "MT_Rest/Imgs/c.jpg", "MT_Rub/Imgs/d.png", "MT_Rub/Imgs/d_mask.png")
    catalog = read_catalog(tmp_path)
    assert catalog.layout == "pairs"
    assert seen(catalog) == {
        "MT_Hole/a": ("Hole", ["a.png"], None),
        "MT_Hole/b": ("Hole", ["b.png"], None),
        "MT_Rest/c": (GOOD, [], None),
        "MT_Rub/d": ("Rub", ["d_mask.png"], None),
    }


def test_where_one_folder_is_named_good_one_without_masks_stays_a_defect(tmp_path):
    put(tmp_path, "Good/a.jpg", "Stain/b.jpg", "Hole/c.jpg", "Hole/c.png")
    assert {key: row[0] for key, row in seen(read_catalog(tmp_path)).items()} == {
        "Good/a": GOOD,
        "Stain/b": "Stain",
        "Hole/c": "Hole",
    }


def test_flat_pairs(tmp_path):
    put(tmp_path, "a.jpg", "a.png", "b.jpg")
    assert seen(read_catalog(tmp_path)) == {"a": ("defect", ["a.png"], None), "b": (GOOD, [], None)}


def test_files_that_share_a_stem_get_ids_with_their_suffix(tmp_path):
    put(tmp_path, "good/a.jpg", "good/a.jpeg.png", "bad/b.png")
    (tmp_path / "good/a.jpeg").write_bytes((tmp_path / "good/a.jpg").read_bytes())
    assert {entry.id for entry in read_catalog(tmp_path)} >= {"good/a.jpg", "good/a.jpeg", "bad/b"}


def test_no_layout_says_what_was_looked_for(tmp_path):
    put(tmp_path, "alone.png")
    with pytest.raises(LayoutError, match=r"(?s)Looked for.*folder.*mvtec.*pairs"):
        detect(tmp_path)
    with pytest.raises(LayoutError, match="not a folder"):
        detect(tmp_path / "nothing")
    with pytest.raises(LayoutError, match="no images for the layout 'mvtec'"):
        read_catalog(tmp_path, layout="mvtec")
    with pytest.raises(LayoutError, match="did you mean 'mvtec'"):
        read_catalog(tmp_path, layout="mvtek")


def test_two_layouts_at_once_must_be_named(tmp_path):
    put(tmp_path, "train/good/0.png", "test/hole/1.png", "extra/a.jpg")
    with pytest.raises(LayoutError, match="2 ways"):
        detect(tmp_path)
    assert len(read_catalog(tmp_path, layout="mvtec")) == 2


@pytest.mark.parametrize("name", list(READERS))
def test_a_reader_keeps_quiet_on_an_empty_folder(tmp_path, name):
    assert not READERS[name].recognises(tmp_path)
    assert not len(READERS[name].read(tmp_path))


def test_groups(tmp_path):
    put(tmp_path, "good/a.png", "good/b.png", "good/c.png", "hole/d.png")
    assert [entry.group for entry in read_catalog(tmp_path)] == ["good/a", "good/b", "good/c", "hole/d"]
    write_text(tmp_path / "groups.csv", "\ufeffFile;class;Group\ngood\\a.png;x;part 1\nhole/d;y;part 1\nb.png;z;2\n")
    assert [entry.group for entry in read_catalog(tmp_path)] == ["part 1", "2", "good/c", "part 1"]
    write_text(tmp_path / "other.csv", "file,group\ngood/a.png,9\n")
    assert read_catalog(tmp_path, groups=tmp_path / "other.csv").entries[0].group == "9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,group\ngood/x.png,1\n", "1 files that are not"),
        ("name,group\n", "expected the columns file and group, got name"),
        ("", "an empty file"),
        ("file,group\ngood/a.png,1\na.png,2\n", "'1' and '2'"),
    ],
)
def test_wrong_groups_are_an_error(tmp_path, text, message):
    put(tmp_path, "good/a.png")
    write_text(tmp_path / "groups.csv", text)
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path)


def test_classes_and_good(tmp_path):
    put(tmp_path, "prima/a.png", "Hole/b.png", "Dent/c.png", "masks/prima/a.png")
    catalog = read_catalog(tmp_path, classes=["hole"], good=["Prima"])
    assert seen(catalog) == {"prima/a": (GOOD, [], None), "Hole/b": ("Hole", [], None)}
    with pytest.raises(DataError, match="did you mean 'Hole'"):
        read_catalog(tmp_path, classes=["Hol"])
    with pytest.raises(DataError, match="did you mean 'prima'"):
        read_catalog(tmp_path, good=["primo"])


def test_load_sample_and_instances(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((8, 9, 3), np.uint16))
    two = np.zeros((8, 9), bool)
    two[0, 0] = two[1, 1] = two[5:7, 5:7] = True
    write_mask(tmp_path / "two.png", two)
    write_mask(tmp_path / "none.png", np.zeros_like(two))
    masks = (MaskFile(tmp_path / "two.png", "hole"), MaskFile(tmp_path / "none.png", "dent"))
    sample = load_sample(Entry("a", tmp_path / "a.png", "hole", "a", masks))
    assert [defect.label for defect in sample.defects] == ["hole"]
    np.testing.assert_array_equal(sample.mask, two)
    assert [int(part.sum()) for part in instances(two)] == [2, 4]
    assert instances(np.zeros((3, 3), bool)) == []


def test_catalogs_on_disk_and_their_digest(tmp_path):
    put(tmp_path / "d", "good/a.png", "good/b.png", "hole/c.png", "masks/hole/c.png")
    catalog = read_catalog(tmp_path / "d")
    save_catalog(tmp_path / "c.json", catalog)
    assert load_catalog(tmp_path / "c.json") == catalog
    before = catalog_digest(catalog)
    (tmp_path / "d").rename(tmp_path / "moved")
    moved = read_catalog(tmp_path / "moved")
    assert catalog_digest(moved) == before
    painted = moved.with_entries(replace(entry, background="good/a") for entry in moved)
    save_catalog(tmp_path / "painted.json", painted)
    assert load_catalog(tmp_path / "painted.json") == painted
    assert catalog_digest(painted) != before, "what a defect was painted on decides what is learnt beside it"
    write_mask(tmp_path / "moved/masks/hole/c.png", ~BLOT)
    assert catalog_digest(moved) != before
    with pytest.raises(ImageError, match=r"a\.png"):
        catalog_digest(catalog)
    with pytest.raises(ImageError, match=r"a\.png"):
        image_sha256(catalog.entries[0])
    for name in ("missing.json", "moved/good/a.png"):
        with pytest.raises(DataError, match="not a readable catalog"):
            load_catalog(tmp_path / name)


def test_identical_files(tmp_path):
    put(tmp_path, "good/a.png", "good/b.png", "hole/c.png")
    (tmp_path / "hole/c.png").write_bytes((tmp_path / "good/a.png").read_bytes())
    (same,) = identical_files(read_catalog(tmp_path))
    assert {entry.id for entry in same} == {"good/a", "hole/c"}
