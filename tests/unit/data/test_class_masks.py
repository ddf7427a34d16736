"""Masks that hold several classes: as numbers, and as colours."""

import numpy as np
import pytest
from PIL import Image as Pillow

from flawsmith.core.errors import DataError, ImageError, LayoutError
from flawsmith.core.files import write_text
from flawsmith.core.records import GOOD
from flawsmith.data.checks import check
from flawsmith.data.image_io import write_image
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, detect, read_catalog
from flawsmith.data.readers.class_masks import areas_of
from layout_examples import SIZE_HW, SPOT, class_colour, class_index, colours, numbers, photo, photos

RED, BLUE = (255, 0, 0), (0, 0, 255)


def plane(*parts):
    """Return an HW array that holds each (value, rows) of `parts` in columns 2 to 8, zero elsewhere."""
    values = np.zeros(SIZE_HW, np.uint8)
    for value, rows in parts:
        values[rows, 2:8] = value
    return values


def pair(root, name, values, palette=None):
    """Write an image and its mask: HW numbers (with a palette, if given) or HWC colours."""
    photo(root / f"images/{name}.jpg", 50 + len(list(root.rglob("*.jpg"))))
    if palette is None:
        write_image(root / f"masks/{name}.png", values if values.ndim == 3 else values[..., None])
        return
    file = Pillow.fromarray(values).convert("P")
    file.putpalette(palette)
    (root / "masks").mkdir(exist_ok=True)
    file.save(root / f"masks/{name}.png")


def painted(*parts):
    """Return an HWC picture that holds each ((r, g, b), rows) of `parts`, black elsewhere."""
    image = np.zeros((*SIZE_HW, 3), np.uint8)
    for rgb, rows in parts:
        image[rows, 2:8] = rgb
    return image


def seen(catalog):
    return {
        entry.id: (entry.label, [(mask.label, mask.value) for mask in entry.masks], entry.split) for entry in catalog
    }


def test_areas_are_those_of_a_plain_count():
    values = np.random.default_rng(0).integers(0, 5, (17, 23)).astype(np.uint16)
    expected = dict(zip(*(part.tolist() for part in np.unique(values, return_counts=True)), strict=True))
    assert areas_of(values) == expected


def test_numbers_without_names(tmp_path):
    pair(tmp_path, "a", plane((1, slice(2)), (7, slice(4, 9)), (255, slice(9, 10))))
    pair(tmp_path, "b", plane())
    photo(tmp_path / "images/c.jpg")
    assert detect(tmp_path) == "class_index"
    catalog = read_catalog(tmp_path)
    assert seen(catalog) == {
        "a": ("class_7", [("class_1", 1), ("class_7", 7)], None),
        "b": (GOOD, [], None),
        "c": (GOOD, [], None),
    }
    defects = {defect.label: int(defect.mask.sum()) for defect in load_sample(catalog.entries[0]).defects}
    assert defects == {"class_1": 12, "class_7": 30}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "background\nscratch\ndent\nok\n"),
        ("classes.txt", "\ufeffscratch\r\n\r\ndent\r\ngood\r\n"),
        ("labels.txt", "__ignore__\n_background_\nscratch\ndent\nfree"),
        ("masks/classes.txt", "# numbers\n2: dent\n1 scratch\n3,Defect-Free\n"),
        ("classes.json", '["scratch", "dent", "good"]'),
        ("classes.json", '{"0": "bg", "1": "scratch", "2": "dent", "3": "good"}'),
        ("classes.json", '{"dent": 2, "good": 3, "scratch": 1}'),
    ],
)
def test_numbers_with_names(tmp_path, file, text):
    pair(tmp_path, "a", plane((1, slice(2)), (2, slice(4, 7)), (3, slice(8, 10))))
    write_text(tmp_path / file, text)
    assert detect(tmp_path) == "class_index"
    assert seen(read_catalog(tmp_path))["a"] == ("dent", [("scratch", 1), ("dent", 2)], None)


def test_splits_are_declared_by_folders_above_or_below(tmp_path):
    for folder in ("images/train", "images/val", "images/line 2"):
        photo(tmp_path / folder / "a.png")
        numbers(tmp_path / folder.replace("images", "masks") / "a_mask.png", 4)
    write_text(tmp_path / "classes.txt", "4 dent")
    assert detect(tmp_path) == "class_index"
    assert {key: row[2] for key, row in seen(read_catalog(tmp_path)).items()} == {
        "line 2/a": None,
        "train/a": "train",
        "val/a": "train",
    }


def test_folders_of_a_split_hold_images_and_masks(tmp_path):
    photos(tmp_path, "train/images/a.png", "Test/images/a.png", "Test/images/b.png")
    for name in ("train/masks/a.png", "Test/masks/a.png", "Test/masks/b.png"):
        numbers(tmp_path / name, 2)
    assert detect(tmp_path) == "class_index"
    assert {key: row[2] for key, row in seen(read_catalog(tmp_path)).items()} == {
        "train/a": "train",
        "Test/a": "test",
        "Test/b": "test",
    }


def test_a_palette_counts_by_index_and_one_bit_as_one(tmp_path):
    pair(tmp_path, "a", plane((2, slice(3))), palette=[0, 0, 0, 9, 9, 9, *RED])
    assert detect(tmp_path) == "class_index"
    assert seen(read_catalog(tmp_path))["a"] == ("class_2", [("class_2", 2)], None)
    write_text(tmp_path / "classes.txt", "scratch\n")
    Pillow.fromarray(SPOT).save(tmp_path / "masks/a.png")
    assert detect(tmp_path) == "class_index"
    np.testing.assert_array_equal(load_sample(read_catalog(tmp_path).entries[0]).mask, SPOT)


def smooth():
    return np.linspace(0, 255, SPOT.size).reshape(SIZE_HW).astype(np.uint8)


@pytest.mark.parametrize("mask", [plane((255, slice(3))), plane((1, slice(3))), plane(), smooth()])
@pytest.mark.parametrize("grey_as_rgb", [False, True])
def test_binary_and_smooth_masks_are_another_layout(tmp_path, mask, grey_as_rgb):
    mask = np.repeat(mask[..., None], 3, 2) if grey_as_rgb else mask[..., None]
    photos(tmp_path, "images/hole/a.png", "images/good/a.png")
    write_image(tmp_path / "masks/hole/a.png", mask)
    assert detect(tmp_path) == "folder"


def test_class_folders_stay_class_folders_whatever_their_masks_hold(tmp_path):
    photos(tmp_path, "images/hole/a.png", "images/good/a.png")
    for write in (lambda path: colours(path, *RED), lambda path: numbers(path, 3)):
        write(tmp_path / "masks/hole/a.png")
        assert detect(tmp_path) == "folder"


def test_names_beside_binary_masks_do_not_make_numbers_of_them(tmp_path):
    class_index(tmp_path)
    numbers(tmp_path / "masks/1.png", 255)
    assert detect(tmp_path) != "class_index"
    with pytest.raises(DataError, match="0 and 255 alone"):
        read_catalog(tmp_path, layout="class_index")


def test_numbers_that_cannot_be_read_are_named(tmp_path):
    class_index(tmp_path)
    numbers(tmp_path / "masks/0.png", 9)
    assert detect(tmp_path) == "class_index"
    with pytest.raises(DataError, match=r"0\.png holds the class number 9, which has no name"):
        read_catalog(tmp_path)
    (tmp_path / "classes.txt").unlink()
    write_image(tmp_path / "masks/0.png", smooth()[..., None])
    with pytest.raises(DataError, match="numbers, expected at most 64 classes"):
        read_catalog(tmp_path, layout="class_index")
    colours(tmp_path / "masks/0.png", *RED)
    with pytest.raises(ImageError, match=r"0\.png is coloured.*class_colour"):
        read_catalog(tmp_path, layout="class_index")
    (tmp_path / "masks/0.png").write_bytes((tmp_path / "masks/1.png").read_bytes()[:50])
    with pytest.raises(ImageError, match=r"0\.png"):
        read_catalog(tmp_path, layout="class_index")


@pytest.mark.parametrize("name", ["class_index", "class_colour"])
def test_masks_of_other_names_are_an_error(tmp_path, name):
    photos(tmp_path, "images/a.png")
    colours(tmp_path / "masks/b.png", *RED)
    with pytest.raises(DataError, match=r"no image has its mask in .*masks: expected a\.png"):
        read_catalog(tmp_path, layout=name)
    with pytest.raises(LayoutError, match="no images"):
        read_catalog(tmp_path / "images", layout=name)


def test_a_mask_of_another_size_is_found_by_check(tmp_path):
    class_index(tmp_path)
    write_image(tmp_path / "masks/1.png", np.full((4, 5, 1), 2, np.uint8))
    (problem,) = [problem for problem in check(read_catalog(tmp_path)) if problem.severity == "error"]
    assert (problem.kind, problem.file) == ("mask_size", tmp_path / "masks/1.png")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("classes.json", b'{"1": {"name": "dent"}}', r"classes\.json: expected a list"),
        ("classes.json", b'["a", 3]', r"classes\.json: expected a list"),
        ("classes.json", b"{", r"classes\.json is not JSON"),
        ("classes.json", b"[" * 100_000, r"classes\.json is not JSON"),
        ("classes.txt", b"\n", r"classes\.txt names no classes"),
        ("labels.txt", "Stoß".encode("latin-1"), r"labels\.txt is not UTF-8"),
    ],
)
def test_wrong_class_files_are_named(tmp_path, file, content, message):
    class_index(tmp_path)
    (tmp_path / "classes.txt").unlink()
    (tmp_path / file).write_bytes(content)
    assert detect(tmp_path) == "class_index"
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path)


def test_colours_without_names(tmp_path):
    pair(tmp_path, "a", painted((RED, slice(2)), (BLUE, slice(4, 9))))
    pair(tmp_path, "b", painted())
    assert detect(tmp_path) == "class_colour"
    catalog = read_catalog(tmp_path)
    expected = [("#0000ff", BLUE), ("#ff0000", RED)]
    assert seen(catalog) == {"a": ("#0000ff", expected, None), "b": (GOOD, [], None)}
    defects = {defect.label: int(defect.mask.sum()) for defect in load_sample(catalog.entries[0]).defects}
    assert defects == {"#0000ff": 30, "#ff0000": 12}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("colours.csv", "name,r,g,b\nscratch,255,0,0\ndent,0,0,255\nok,0,255,0\n"),
        ("colors.csv", '\ufeff"scratch";255;0;0\r\n"dent";0;0;255\r\ngood;0;255;0\r\n'),
        ("classes.csv", "scratch\t255\t0\t0\ndent\t0\t0\t255\nbackground\t0\t255\t0"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nscratch:255,0,0::\nbackground:0,255,0::\ndent:0,0,255::\n"),
        ("masks/labelmap.txt", "scratch:255,0,0\ndent: 0, 0, 255\nvoid:0,255,0\n"),
    ],
)
def test_colours_with_names(tmp_path, file, text):
    pair(tmp_path, "a", painted((RED, slice(2)), (BLUE, slice(4, 7)), ((0, 255, 0), slice(8, 10))))
    write_text(tmp_path / file, text)
    assert detect(tmp_path) == "class_colour"
    assert seen(read_catalog(tmp_path))["a"] == ("dent", [("dent", BLUE), ("scratch", RED)], None)


def test_colours_with_names_may_lie_in_a_palette_or_be_grey(tmp_path):
    pair(tmp_path, "a", plane((2, slice(3))), palette=[0, 0, 0, 9, 9, 9, *RED])
    pair(tmp_path, "b", plane((200, slice(4))))
    write_text(tmp_path / "colours.csv", "red one,255,0,0\ngrey one,200,200,200\n")
    assert detect(tmp_path) == "class_colour"
    catalog = read_catalog(tmp_path)
    assert {key: row[0] for key, row in seen(catalog).items()} == {"a": "red one", "b": "grey one"}
    assert [int(load_sample(entry).mask.sum()) for entry in catalog] == [18, 24]


def test_the_folders_of_a_voc_like_export(tmp_path):
    photo(tmp_path / "JPEGImages/a.jpg")
    colours(tmp_path / "SegmentationClass/a.png", *RED)
    colours(tmp_path / "SegmentationObject/a.png", *BLUE)
    write_text(tmp_path / "labelmap.txt", "background:0,0,0::\nscratch:255,0,0::\n")
    assert detect(tmp_path) == "class_colour"
    assert seen(read_catalog(tmp_path)) == {"a": ("scratch", [("scratch", RED)], None)}


def test_white_is_the_background_where_nothing_is_black(tmp_path):
    image = painted((RED, slice(2)))
    image[(image == 0).all(2)] = 255
    pair(tmp_path, "a", image)
    assert seen(read_catalog(tmp_path))["a"] == ("#ff0000", [("#ff0000", RED)], None)


def blurred(edge_pixels):
    image = painted((RED, slice(1, 9)))  # 48 pixels
    image[0, :edge_pixels] = (127, 0, 0)
    return image


def test_few_pixels_of_other_colours_are_smoothed_edges(tmp_path):
    pair(tmp_path, "a", blurred(2))
    assert seen(read_catalog(tmp_path))["a"] == ("#ff0000", [("#ff0000", RED)], None)
    write_text(tmp_path / "colours.csv", "scratch,255,0,0")
    assert seen(read_catalog(tmp_path))["a"] == ("scratch", [("scratch", RED)], None)


def test_many_pixels_of_another_colour_are_a_class_or_an_error(tmp_path):
    pair(tmp_path, "a", blurred(4))
    assert [label for label, _ in seen(read_catalog(tmp_path))["a"][1]] == ["#7f0000", "#ff0000"]
    write_text(tmp_path / "colours.csv", "scratch,255,0,0")
    with pytest.raises(DataError, match=r"a\.png: 8% of what is marked .* #7f0000: name it"):
        read_catalog(tmp_path)


def test_colours_that_cannot_be_read_are_named(tmp_path):
    class_colour(tmp_path)
    write_image(tmp_path / "masks/0.png", np.zeros((*SIZE_HW, 3), np.uint16))
    with pytest.raises(ImageError, match=r"0\.png: expected colours of 8 bits"):
        read_catalog(tmp_path)
    (tmp_path / "masks/0.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"0\.png"):
        read_catalog(tmp_path)
    (tmp_path / "colours.csv").unlink()
    for number in range(70):
        colours(tmp_path / "masks/0.png", number + 1, 0, 99)
        photo(tmp_path / f"images/x{number}.jpg")
        (tmp_path / f"masks/x{number}.png").write_bytes((tmp_path / "masks/0.png").read_bytes())
    with pytest.raises(DataError, match="71 colours, expected at most 64"):
        read_catalog(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"scratch,200,0,40\ndent,0,0\n", r"colours\.csv, line 2: expected name,red,green,blue"),
        (b"scratch,200,0,40\ndent,0,0,256\n", r"line 2: .*from 0 to 255"),
        (b"scratch,200,0,40\ndent,200,0,40\n", r"line 2: 'scratch' and 'dent' have one colour"),
        (b"scratch,200,0,40\ndent,0,0," + b"9" * 9999, r"line 2: .*from 0 to 255"),
        (b"Sto\xdf,200,0,40\n", r"colours\.csv is not UTF-8"),
    ],
)
def test_wrong_colour_files_are_named(tmp_path, content, message):
    class_colour(tmp_path)
    (tmp_path / "colours.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path)


def test_a_line_of_white_space_or_digits_is_refused_at_once(tmp_path):
    class_colour(tmp_path)
    for piece in (" ", "\t", "1,", "1 ", "9"):
        (tmp_path / "colours.csv").write_text("scratch,200,0,40\na,1" + piece * 100_000 + "x\n")
        with pytest.raises(DataError, match="line 2"):
            read_catalog(tmp_path, layout="class_colour")


def test_a_table_without_colours_is_no_colour_file(tmp_path):
    class_index(tmp_path)
    write_text(tmp_path / "classes.csv", "number,name\n1,dent\n2,scratch\n")
    assert [name for name in READERS if name.startswith("class") and READERS[name].recognises(tmp_path)] == [
        "class_index"
    ]
