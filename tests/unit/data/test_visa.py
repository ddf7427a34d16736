"""The layout of VisA."""

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import detect, read_catalog
from layout_examples import SIZE_HW, SPOT, colours, numbers, photos, visa

HEAD = "image,label,mask"


def anomaly(number, label, category="pcb1"):
    return f'{category}/Data/Images/Anomaly/{number}.JPG,"{label}",{category}/Data/Masks/Anomaly/{number}.png'


def put(root, *numbers_of_masks):
    photos(root, "Data/Images/Normal/0.JPG", *(f"Data/Images/Anomaly/{n}.JPG" for n in range(len(numbers_of_masks))))
    for number, value in enumerate(numbers_of_masks):
        numbers(root / f"Data/Masks/Anomaly/{number}.png", value)


def two_numbers(path, first, second):
    """Write a mask with 12 pixels of `first` and 24 of `second`."""
    values = np.zeros((*SIZE_HW, 1), np.uint8)
    values[0], values[4:6] = first, second
    write_image(path, values)


def seen(catalog):
    return {
        entry.id: (entry.label, [(mask.label, mask.threshold, mask.value) for mask in entry.masks]) for entry in catalog
    }


def test_one_category(tmp_path):
    put(tmp_path, 1, 4)
    write_text(tmp_path / "image_anno.csv", "\n".join([HEAD, anomaly(0, "bent"), anomaly(1, "wrong place")]))
    assert detect(tmp_path) == "visa"
    catalog = read_catalog(tmp_path)
    assert seen(catalog) == {
        "Normal/0": (GOOD, []),
        "Anomaly/0": ("bent", [("bent", 1, None)]),
        "Anomaly/1": ("wrong place", [("wrong place", 1, None)]),
    }
    assert all(np.array_equal(load_sample(entry).mask, SPOT) for entry in catalog if entry.label != GOOD)


def test_without_notes_every_anomaly_is_one(tmp_path):
    put(tmp_path, 1)
    (tmp_path / "Data/Masks/Anomaly/0.png").unlink()
    assert seen(read_catalog(tmp_path)) == {"Normal/0": (GOOD, []), "Anomaly/0": ("anomaly", [])}


def test_several_kinds_in_one_image_are_told_apart_by_the_numbers_of_images_with_one(tmp_path):
    put(tmp_path, 1, 2, 0)
    two_numbers(tmp_path / "Data/Masks/Anomaly/2.png", 1, 2)
    rows = [HEAD, anomaly(0, "bent"), anomaly(1, "melt"), anomaly(2, "bent, melt")]
    write_text(tmp_path / "image_anno.csv", "\n".join(rows))
    catalog = read_catalog(tmp_path)
    assert seen(catalog)["Anomaly/2"] == ("melt", [("bent", 128, 1), ("melt", 128, 2)])
    defects = {defect.label: int(defect.mask.sum()) for defect in load_sample(catalog.entries[-1]).defects}
    assert defects == {"bent": 12, "melt": 24}


@pytest.mark.parametrize("how", ["number of no kind", "number of another kind", "two kinds of one number", "coloured"])
def test_where_numbers_do_not_tell_the_first_kind_gets_the_whole_mask(tmp_path, how):
    put(tmp_path, 1, 1 if how == "two kinds of one number" else 2, 0)
    two_numbers(tmp_path / "Data/Masks/Anomaly/2.png", 1, 7 if how == "number of no kind" else 2)
    if how == "coloured":
        colours(tmp_path / "Data/Masks/Anomaly/2.png", 255, 0, 0)
    kinds = "melt,bent,dirt" if how != "number of another kind" else "bent,dirt"
    rows = [HEAD, anomaly(0, "bent"), anomaly(1, "melt"), anomaly(2, kinds)]
    write_text(tmp_path / "image_anno.csv", "\n".join(rows))
    first = kinds.split(",")[0]
    assert seen(read_catalog(tmp_path))["Anomaly/2"] == (first, [(first, 1, None)])


def test_binary_masks_are_read_too(tmp_path):
    put(tmp_path, 0)
    write_mask(tmp_path / "Data/Masks/Anomaly/0.png", SPOT)
    np.testing.assert_array_equal(load_sample(read_catalog(tmp_path).entries[1]).mask, SPOT)


def test_all_categories_with_their_split(tmp_path):
    for category in ("pcb1", "candle"):
        put(tmp_path / category, 1)
        write_text(tmp_path / category / "image_anno.csv", f"{HEAD}\n{anomaly(0, 'melt', category)}\n")
    rows = ["object,split,label,image,mask", "candle,train,normal,candle/Data/Images/Normal/0.JPG,"]
    rows += ["candle,test,anomaly,candle/Data/Images/Anomaly/0.JPG,candle/Data/Masks/Anomaly/0.png"]
    rows += ["fryum,test,normal,fryum/Data/Images/Normal/0.JPG,"]
    write_text(tmp_path / "split_csv/1cls.csv", "\n".join(rows))
    write_text(tmp_path / "split_csv/2cls_fewshot.csv", rows[0])
    assert detect(tmp_path) == "visa"
    catalog = read_catalog(tmp_path)
    assert {entry.id: (entry.label, entry.split) for entry in catalog} == {
        "candle/Normal/0": (GOOD, "train"),
        "candle/Anomaly/0": ("candle melt", "test"),
        "pcb1/Normal/0": (GOOD, None),
        "pcb1/Anomaly/0": ("pcb1 melt", None),
    }
    assert catalog.entries[1].masks[0].label == "candle melt"
    (tmp_path / "split_csv").rename(tmp_path / "candle/split_csv")
    assert [entry.split for entry in read_catalog(tmp_path / "candle")] == ["train", "test"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("pcb1/Data/Images/Anomaly/9.JPG,bent,", r"image_anno\.csv, line 2: there is no file"),
        ("pcb1/Data/../../x.JPG,bent,", "line 2 names .*expected a path inside"),
        ("../x.JPG,bent,", "line 2 names .*expected a path inside"),
        ("pcb1/Data/Masks/Anomaly/000.png,bent,", "line 2: .*is no image in Data/Images"),
        ("pcb1/Data/Images/Anomaly/000.JPG,,", "line 2: nothing in the column 'label'"),
        (",bent,", "line 2: nothing in the column 'image'"),
        ("pcb1/Data/Images/Anomaly/000.JPG,bent,pcb1/Data/Masks/Anomaly/7.png", "line 2: there is no file"),
    ],
)
def test_wrong_notes_are_named(tmp_path, row, message):
    visa(tmp_path)
    write_text(tmp_path / "image_anno.csv", f"{HEAD}\n{row}\n")
    assert detect(tmp_path) == "visa"
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path)


def test_an_unknown_split_is_named(tmp_path):
    visa(tmp_path / "pcb1")
    rows = "object,split,label,image,mask\npcb1,later,normal,pcb1/Data/Images/Normal/0000.JPG,\n"
    write_text(tmp_path / "split_csv/1cls.csv", rows)
    with pytest.raises(DataError, match=r"1cls\.csv, line 2: unknown split 'later'"):
        read_catalog(tmp_path)
