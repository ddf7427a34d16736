"""Image files against Pillow, tifffile and exact pixels."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageOps

from flawsmith.core.errors import ImageError
from flawsmith.core.records import MaskFile
from flawsmith.data.image_io import (
    MOST_PIXELS,
    image_size_hw,
    read_classes,
    read_image,
    read_mask,
    read_metadata,
    write_image,
    write_mask,
)


def noise(channels, dtype=np.uint8, size_hw=(13, 17)):
    shape = (*size_hw, channels)
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint8), (".TIFF", np.uint16), (".bmp", np.uint8)],
)
def test_what_is_written_is_read_back_and_bytes_are_the_same_twice(tmp_path, suffix, dtype, channels):
    image = noise(channels, dtype)
    path = tmp_path / f"größe 1{suffix}"
    write_image(path, image)
    again = read_image(path)
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, image)
    assert image_size_hw(path) == (13, 17)
    first = path.read_bytes()
    write_image(path, image[:, ::-1][:, ::-1])
    assert path.read_bytes() == first
    assert sorted(tmp_path.iterdir()) == [path]


HELD = {
    ".png": ["1", "L", "LA", "P", "RGB", "RGBA"],
    ".tif": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"],
    ".bmp": ["1", "L", "P", "RGB", "RGBA"],
    ".jpg": ["1", "L", "RGB", "CMYK"],
}
"""The modes that each format can hold."""


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, modes in HELD.items() for mode in modes])
def test_other_modes_become_what_pillow_makes_of_them(tmp_path, suffix, mode):
    path = tmp_path / f"a{suffix}"
    Pillow.fromarray(noise(3)).convert(mode).save(path)
    if (mode, suffix) == ("CMYK", ".tif"):
        with pytest.raises(ImageError, match="SEPARATED"):
            read_image(path)
        return
    with Pillow.open(path) as image:
        expected = np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    np.testing.assert_array_equal(read_image(path), expected.reshape(13, 17, -1))


def test_transparency_does_not_change_colours(tmp_path):
    path = tmp_path / "a.png"
    colours = Pillow.fromarray(noise(3)).quantize(8)
    colours.save(path, transparency=bytes(range(8)))
    np.testing.assert_array_equal(read_image(path), np.array(colours.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "png16", "tif", "tif16"])
def test_exif_orientation_is_applied(tmp_path, orientation, kind):
    path = tmp_path / f"a.{kind[:3]}"
    grey = (noise(1, np.uint8)[..., 0] // 64 * 64).astype(np.uint16 if "16" in kind else np.uint8)
    image = Pillow.fromarray(grey)
    image.getexif()[274] = orientation
    if "tif" in kind:
        tifffile.imwrite(path, grey, extratags=[(274, 3, 1, orientation, True)])
    else:
        image.save(path, exif=image.getexif())
        image = Pillow.open(path)
    # TIFF: turned in memory, because from the file Pillow turns some of the eight wrongly.
    turned = np.array(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path)[..., 0], turned)
    assert image_size_hw(path) == turned.shape


def test_16_bit_alpha_is_dropped_and_planar_tiff_is_turned(tmp_path):
    image = noise(4, np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image[..., :3])
    planes = np.ascontiguousarray(np.moveaxis(image[..., :3], 2, 0))
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image[..., :3])


def _png_header(width, height):
    good = io.BytesIO()
    Pillow.new("L", (1, 1)).save(good, "PNG")
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return good.getvalue()[:12] + body + struct.pack(">I", __import__("zlib").crc32(body)) + good.getvalue()[33:]


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(_png_header(50_000, MOST_PIXELS // 50_000 + 1))
    for reading in (read_image, image_size_hw):
        with pytest.raises(ImageError, match=r"huge\.png.*pixels"):
            reading(path)


@pytest.mark.parametrize("name", ["a.png", "b.png", "c.tif", "d.tif", "e.bmp", "f.jpg"])
def test_a_cut_off_file_is_an_error_that_names_it(tmp_path, name):
    path = tmp_path / name
    image = noise(3, np.uint16 if name in ("b.png", "d.tif") else np.uint8, (64, 64))
    if name == "f.jpg":
        Pillow.fromarray(image).save(path)
    else:
        write_image(path, image)
    whole = path.read_bytes()
    for length in (0, 5, 20, len(whole) // 2, int(len(whole) * 0.9)):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=name):
            read_image(path)


def test_what_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("hello, world")
    with pytest.raises(ImageError, match="expected a jpg, png, bmp or tiff"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "b.png")
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(ImageError, match="float32"):
        read_image(tmp_path / "f.tif")
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((5, 40, 40), np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="stack of 5"):
        read_image(tmp_path / "s.tif")


def test_writing_refuses_what_the_format_would_lose(tmp_path):
    for name, image in (
        ("a.jpg", noise(3)),
        ("a.bmp", noise(1, np.uint16)),
        ("a.png", noise(4)),
        ("a.png", noise(1) / 2),
        ("a.png", noise(1)[:0]),
    ):
        with pytest.raises(ImageError):
            write_image(tmp_path / name, image)
    with pytest.raises(ImageError, match="only PNG"):
        write_image(tmp_path / "a.tif", noise(1), {"key": "value"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_metadata_is_read_by_us_and_by_pillow_and_leaves_the_pixels(tmp_path, dtype):
    text = {"flawsmith": '{"seed": 3}\n', "Größe": "Maßstab 1 µm, 傷"}
    write_image(tmp_path / "a.png", noise(3, dtype), text)
    assert read_metadata(tmp_path / "a.png") == text
    with Pillow.open(tmp_path / "a.png") as image:
        image.load()
        assert image.text == text
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), noise(3, dtype))
    assert imagecodecs.png_decode((tmp_path / "a.png").read_bytes()).dtype == dtype


def test_texts_that_pillow_wrote_are_read(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("plain", "é")
    info.add_text("packed", "x" * 1000, zip=True)
    info.add_itxt("both", "傷" * 100, zip=True)
    Pillow.new("L", (3, 3)).save(tmp_path / "a.png", pnginfo=info)
    assert read_metadata(tmp_path / "a.png") == {"plain": "é", "packed": "x" * 1000, "both": "傷" * 100}
    Pillow.new("L", (3, 3)).save(tmp_path / "a.bmp")
    assert read_metadata(tmp_path / "a.bmp") == {}


def test_damaged_or_impossible_metadata_is_an_error(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, noise(1), {"key": "value"})
    path.write_bytes(path.read_bytes().replace(b"value", b"VALUE"))
    with pytest.raises(ImageError, match="damaged"):
        read_metadata(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError):
        read_metadata(path)
    for text in ({"": "x"}, {"k" * 80: "x"}, {"傷": "x"}, {"k": "a\0b"}):
        with pytest.raises(ImageError):
            write_image(path, noise(1), text)


def test_masks(tmp_path):
    mask = noise(1)[..., 0] > 100
    path = tmp_path / "m.png"
    write_mask(path, mask)
    assert set(np.unique(read_image(path))) == {0, 255}
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x"), (13, 17)), mask)
    with pytest.raises(ImageError, match=r"m\.png.*17 x 13.*13 x 17"):
        read_mask(MaskFile(path, "x"), (17, 13))
    with pytest.raises(ImageError, match="HW bool"):
        write_mask(path, mask.astype(np.uint8))


def test_mask_threshold_counts_any_channel_and_value_counts_exactly(tmp_path):
    path = tmp_path / "m.png"
    image = noise(3)
    write_image(path, image)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", threshold=200), (13, 17)), image.max(2) >= 200)
    classes = noise(1) % 4
    write_image(path, classes)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=2), (13, 17)), classes[..., 0] == 2)
    palette = Pillow.fromarray(classes[..., 0], mode=None).convert("P")
    palette.putpalette([255, 0, 0, 9, 9, 9, 0, 0, 255, 255, 255, 255])
    palette.save(path)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=3), (13, 17)), classes[..., 0] == 3)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x"), (13, 17)), classes[..., 0] != 1)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=(0, 0, 255)), (13, 17)), classes[..., 0] == 2)
    np.testing.assert_array_equal(read_classes(path), classes[..., 0])
    Pillow.fromarray(classes[..., 0] == 1).save(path)
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=1), (13, 17)), classes[..., 0] == 1)


def test_a_colour_selects_pixels_equal_in_every_channel(tmp_path):
    path = tmp_path / "m.png"
    image = noise(3) // 128 * 255
    write_image(path, image)
    expected = (image == (255, 0, 255)).all(2)
    assert expected.any()
    np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=(255, 0, 255)), (13, 17)), expected)
    np.testing.assert_array_equal(read_classes(path), image)
    grey = noise(1) % 3
    for array in (grey, np.repeat(grey, 3, 2)):
        write_image(path, array)
        np.testing.assert_array_equal(read_mask(MaskFile(path, "x", value=(2, 2, 2)), (13, 17)), grey[..., 0] == 2)
        np.testing.assert_array_equal(read_classes(path), grey[..., 0])
