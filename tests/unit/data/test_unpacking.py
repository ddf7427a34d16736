"""Archives, sound ones and all kinds of wicked ones."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from flawsmith.core.errors import DataError
from flawsmith.data.image_io import write_image
from flawsmith.data.readers import read_catalog
from flawsmith.data.unpacking import Limits, is_archive, unpacked

KINDS = ("zip", "tar", "tar.gz")
SMALL = Limits(entries=5, most_bytes=5000, ratio=20, always_bytes=2000)


def packed(path, entries):
    """Write an archive of (name, bytes), as its suffix says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in entries:
                opened.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as opened:
            for name, content in entries:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
    return path


def special(path, **fields):
    """Write a tar file with a sound entry and one of another type."""
    with tarfile.open(path, "w") as opened:
        opened.addfile(tarfile.TarInfo("a.txt"))
        info = tarfile.TarInfo("odd")
        for name, value in fields.items():
            setattr(info, name, value)
        opened.addfile(info)
    return path


def names_under(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(archive, out, message, limits=None):
    with pytest.raises(DataError, match=message) as caught:
        unpacked(archive, out, limits)
    assert archive.name in str(caught.value)
    assert names_under(out) == [], "nothing is left behind"
    assert names_under(out.parent) == [archive.name], "nothing is written elsewhere"


def outcome(archive, out):
    """The names of what was unpacked, or the words of our own error."""
    try:
        return names_under(unpacked(archive, out))
    except DataError as error:
        return str(error)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_in_an_archive_is_read_as_one_in_a_folder(kind, tmp_path, out):
    for name in ("good/0.png", "good/1.png", "hole/0.png"):
        write_image(tmp_path / "set" / name, np.full((4, 6, 1), 9, np.uint8))
    files = [(f"top/{name}", (tmp_path / "set" / name).read_bytes()) for name in names_under(tmp_path / "set")]
    archive = packed(tmp_path / f"tiles.v2.{kind}", [*files, ("__MACOSX/top/._0.png", b"x"), ("empty.txt/", b"")][:4])
    assert is_archive(archive)
    folder = unpacked(archive, out)
    assert folder.name == "top"
    assert folder.parent.name == "tiles.v2"
    assert names_under(folder) == names_under(tmp_path / "set")
    assert [entry.id for entry in read_catalog(folder)] == [entry.id for entry in read_catalog(tmp_path / "set")]


def test_what_was_unpacked_is_used_again_until_the_archive_changes(tmp_path, out):
    archive = packed(tmp_path / "a.zip", [("good/0.txt", b"one")])
    folder = unpacked(archive, out)
    (folder / "mark").touch()
    assert (unpacked(archive, out) / "mark").exists()
    packed(archive, [("good/0.txt", b"two")])
    assert names_under(unpacked(archive, out)) == ["good/0.txt"]


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["photos/good/0", "photos/hole/0"], ["good/0", "hole/0"]),
        (["a/b/good/0", "a/b/hole/0"], ["good/0", "hole/0"]),
        (["data/good/0", "data/hole/0"], ["good/0", "hole/0"]),
        (["Data/Images/0"], ["Data/Images/0"]),
        (["train/good/0"], ["train/good/0"]),
        (["OK/0"], ["OK/0"]),
        (["a/0", "b/0"], ["a/0", "b/0"]),
        (["a\\0", "b\\0"], ["a/0", "b/0"]),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_folder_around_everything_is_seen_through(kind, names, seen, tmp_path, out):
    assert names_under(unpacked(packed(tmp_path / f"x.{kind}", [(name, b"1") for name in names]), out)) == seen


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "\\evil", "..\\evil", "C:\\evil", "C:evil", ".."])
@pytest.mark.parametrize("kind", KINDS)
def test_names_that_lead_elsewhere(kind, name, tmp_path, out):
    refused(packed(tmp_path / f"x.{kind}", [("sound", b"1"), (name, b"1")]), out, "the entry .*would lie elsewhere")


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_stands_twice(kind, tmp_path, out):
    with pytest.warns(UserWarning, match="Duplicate") if kind == "zip" else pytest.MonkeyPatch.context():
        archive = packed(tmp_path / f"x.{kind}", [("a/one", b"1"), ("a/one", b"2")])
    refused(archive, out, "the entry 'a/one' stands there twice")


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_is_a_file_and_a_folder(kind, tmp_path, out):
    refused(packed(tmp_path / f"x.{kind}", [("a", b"1"), ("a/b", b"2")]), out, "the entry 'a/b'")


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_too_long_for_the_disk(kind, tmp_path, out):
    refused(packed(tmp_path / f"x.{kind}", [("a" * 5000, b"1")]), out, r"the entry 'aaa.*too long")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.SYMTYPE, "linkname": "a.txt"},
        {"type": tarfile.LNKTYPE, "linkname": "a.txt"},
        {"type": tarfile.CHRTYPE, "devmajor": 1},
        {"type": tarfile.BLKTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.GNUTYPE_SPARSE},
    ],
)
def test_links_devices_and_holes_in_a_tar(fields, tmp_path, out):
    refused(special(tmp_path / "x.tar", **fields), out, "the entry 'odd' is a link, a device or has holes")


def test_a_link_in_a_zip(tmp_path, out):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        info = zipfile.ZipInfo("odd")
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/passwd")
    refused(archive, out, "the entry 'odd' is a link or a device")


def test_an_encrypted_zip(tmp_path, out):
    archive = packed(tmp_path / "x.zip", [("secret", b"1")])
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, out, "the entry 'secret' is encrypted")


def test_an_unusual_packing(tmp_path, out):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("odd", b"1")
    refused(archive, out, "the entry 'odd' is packed in an unusual way")


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_entries(kind, tmp_path, out):
    refused(packed(tmp_path / f"x.{kind}", [(str(n), b"") for n in range(6)]), out, "more than 5 entries", SMALL)


def test_too_many_entries_none_of_them_a_file(tmp_path, out):
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as opened:
        for _ in range(6):
            info = tarfile.TarInfo("same")
            info.type = tarfile.DIRTYPE
            opened.addfile(info)
    refused(archive, out, "more than 5 entries", SMALL)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_bytes(kind, tmp_path, out):
    noise = np.random.default_rng(0).bytes(3000)
    archive = packed(tmp_path / f"x.{kind}", [("a", noise), ("b", noise)])
    refused(archive, out, "the entry 'b': more than 5000 bytes", SMALL)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped_while_it_unpacks(kind, tmp_path, out):
    limits = Limits(ratio=50, always_bytes=10_000)
    refused(packed(tmp_path / f"x.{kind}", [("bomb", bytes(10**7))]), out, "'bomb': unpacks to more than 50", limits)


def test_a_zip_that_lies_about_the_size_of_its_bomb(tmp_path, out):
    archive = packed(tmp_path / "x.zip", [("bomb", bytes(10**7))])
    content = bytearray(archive.read_bytes())
    for place in (22, content.index(b"PK\1\2") + 24):
        content[place : place + 4] = struct.pack("<I", 10)
    archive.write_bytes(content)
    refused(archive, out, "'bomb'", Limits(ratio=50, always_bytes=10_000))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_whose_bomb_is_a_header(kind, tmp_path, out):
    info = tarfile.TarInfo("bomb")
    info.type, info.size = kind, 5 * 10**6
    archive = tmp_path / "x.tar.gz"
    with gzip.open(archive, "wb") as file:
        file.write(info.tobuf())
        for _ in range(5):
            file.write(bytes(10**6))
    refused(archive, out, "a header of more than")


def test_a_zip_whose_list_of_entries_is_huge(tmp_path, out):
    archive, size = tmp_path / "x.zip", 2**26 + 1
    with archive.open("wb") as file:
        file.write(b"PK\3\4")
        file.seek(4 + size)
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, size, 4, 0))
    refused(archive, out, f"its list of entries takes {size} bytes")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_are_never_half_read(kind, tmp_path):
    noise = np.random.default_rng(0)
    sound = packed(tmp_path / f"x.{kind}", [(f"{n}/a.txt", noise.bytes(700)) for n in range(4)]).read_bytes()
    (tmp_path / f"x.{kind}").unlink()
    for number in range(60):
        cut = sound[: int(noise.integers(1, min(len(sound), 6000)))]
        changed = bytearray(sound)
        changed[int(noise.integers(len(sound)))] ^= int(noise.integers(1, 256))
        for content in (cut, bytes(changed)):
            archive = tmp_path / f"{number}.{kind}"
            archive.write_bytes(content)
            found = outcome(archive, tmp_path / "out")
            assert archive.name in found if isinstance(found, str) else (content is not cut and len(found) == 4)
