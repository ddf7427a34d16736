"""Archives of strangers, unpacked so that nothing leaves the folder and nothing grows beyond stated limits.

What an archive says of itself is not believed: bytes are counted as they come out.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened
from typing import IO, BinaryIO, NamedTuple, cast

from flawsmith.core.errors import DataError, FlawsmithError
from flawsmith.core.files import sha256_file
from flawsmith.data.readers.listing import SPLIT_FOLDERS, is_good

_ZIP, _GZIP, _TAR, _TAR_AT = (b"PK\3\4", b"PK\5\6"), b"\x1f\x8b", b"ustar", 257
_SUFFIXES = re.compile(r"(\.tar)?\.(zip|tar|tgz|gz)$", re.IGNORECASE)
_PIECE = 2**20
_MOST_HEADER = 2**20
"""Bytes that a tar file may spend between two entries, on long names for example."""
_MOST_DIRECTORY = 2**26
"""Bytes of the list of entries in a zip file, which is read at once."""
_LITTER = "__MACOSX"
"""The folder in which one system packs what the others have no use for."""
_LAID_OUT = frozenset({*SPLIT_FOLDERS, "images", "image", "imgs", "img"})
"""Names of folders that are part of a layout even where there is nothing beside them."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: entries, bytes in all, and bytes per byte of the archive (a small one may hold
    `always_bytes` nonetheless).
    """

    entries: int = 500_000
    most_bytes: int = 200 * 2**30
    ratio: int = 100
    always_bytes: int = 2**26


class _Item(NamedTuple):
    """A file in an archive: its name there, and what its bytes come from."""

    name: str
    content: IO[bytes]


def is_archive(path: Path) -> bool:
    """Return whether a file begins like a zip, tar or tar.gz file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_TAR_AT + len(_TAR))
    return head.startswith((*_ZIP, _GZIP)) or head[_TAR_AT:] == _TAR


def unpacked(archive: Path, into: Path, limits: Limits | None = None) -> Path:
    """Return the data set's folder in an archive (zip, tar, tar.gz), unpacked below `into` under the archive's hash.

    What was unpacked before is used again. A lone folder around everything is seen through, unless its name is that of
    a part of a layout (`train`, `images`, `good` …). Raises DataError, naming the entry, for a name that is absolute or
    has `..` in it or stands twice, a link, a device, an encrypted file, more than the limits, or damage; nothing is
    left behind then.
    """
    home = into / sha256_file(archive)[:16]
    if not home.is_dir():
        beside = into / f".{home.name}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        try:
            _unpack(archive, beside / _stem(archive), limits or Limits())
            shutil.rmtree(beside / _stem(archive) / _LITTER, ignore_errors=True)
            beside.rename(home)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return _seen_through(home / _stem(archive))


def _stem(archive: Path) -> str:
    stem = _SUFFIXES.sub("", archive.name)
    return "data" if stem.startswith(".") or not stem else stem


def _seen_through(folder: Path) -> Path:
    while True:
        inner = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if len(inner) != 1 or not inner[0].is_dir() or _is_part(inner[0]):
            return folder
        folder = inner[0]


def _is_part(folder: Path) -> bool:
    visa = folder.name == "Data" and (folder / "Images").is_dir()
    return visa or folder.name.casefold() in _LAID_OUT or is_good(folder.name)


def _unpack(archive: Path, out: Path, limits: Limits) -> None:
    out.mkdir(parents=True)
    meter = _Meter(archive, limits)
    with archive.open("rb") as file:
        head = file.read(len(_ZIP[0]))
        file.seek(0)
        items = _zip_items(archive, meter) if head in _ZIP else _tar_items(file, meter)
        place = "its list of entries"
        try:
            for item in items:
                place = f"the entry {shortened(item.name)}"
                _write(item, out / _inside(item.name), meter)
        except FlawsmithError as error:
            raise DataError(f"{archive}: {error}") from None
        except FileExistsError:
            raise DataError(f"{archive}: {place} stands there twice, expected each name once: pack it again") from None
        except Exception as error:  # the decoders raise anything at all on a damaged archive
            text = f"{archive} cannot be unpacked at {place}: {error}; it may be damaged or cut off, get it again"
            raise DataError(text) from error


class _Meter:
    """Counts what comes out of an archive and stops at the limits."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.limits, self.entries, self.bytes = limits, 0, 0
        self.by_ratio = max(limits.always_bytes, limits.ratio * archive.stat().st_size)

    def entry(self) -> None:
        self.entries += 1
        if self.entries > self.limits.entries:
            raise DataError(f"more than {self.limits.entries} entries: unpack it yourself if you trust it")

    def add(self, count: int, where: str) -> None:
        self.bytes += count
        if self.bytes > self.limits.most_bytes:
            most = self.limits.most_bytes
            raise DataError(f"{where}: more than {most} bytes in all; unpack it yourself if you trust it")
        if self.bytes > self.by_ratio:
            raise DataError(
                f"{where}: unpacks to more than {self.limits.ratio} times its size, as bombs do; unpack it yourself if "
                "you trust it"
            )


def _write(item: _Item, path: Path, meter: _Meter) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while piece := item.content.read(_PIECE):
            meter.add(len(piece), f"the entry {shortened(item.name)}")
            file.write(piece)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or "\0" in name:
        raise DataError(f"the entry {shortened(name)} would lie elsewhere: expected a relative path without '..'")
    return path


def _zip_items(archive: Path, meter: _Meter) -> Iterator[_Item]:
    with _Careful(archive) as file, zipfile.ZipFile(cast(IO[bytes], file)) as opened:
        for info in opened.infolist():
            meter.entry()
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 1:
                raise _refused(info.filename, "is encrypted")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(info.filename, "is a link or a device")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _refused(info.filename, "is packed in an unusual way")
            if info.is_dir():
                _inside(info.filename)
                continue
            with opened.open(info) as content:
                yield _Item(info.filename, content)


class _Careful(io.FileIO):
    """A file of which no more is read at once than a list of entries may be long."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_DIRECTORY:
            raise DataError(f"its list of entries takes {size} bytes, more than {_MOST_DIRECTORY}: unpack it yourself")
        return super().read(-1 if size is None else size) or b""


def _tar_items(file: BinaryIO, meter: _Meter) -> Iterator[_Item]:
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    stream = _Counted(cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file)
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", errorlevel=2) as opened:
        while (info := stream.header_of(opened)) is not None:
            meter.entry()
            if info.isreg() and not info.issparse():
                with stream.unlimited():
                    yield _Item(info.name, cast(IO[bytes], opened.extractfile(info)))
            elif not info.isdir():
                raise _refused(info.name, "is a link, a device or has holes")
            elif PurePosixPath(info.name).parts:
                _inside(info.name)
        _check_end(cast(IO[bytes], opened.fileobj), meter)


class _Counted:
    """A stream of which only so much is read at a time, but for what a file in it holds."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.left = stream, _MOST_HEADER
        self.limited = True

    def read(self, size: int) -> bytes:
        piece = self.stream.read(size)
        self.left -= len(piece) if self.limited else 0
        if self.left < 0:
            raise DataError(f"a header of more than {_MOST_HEADER} bytes: unpack it yourself if you trust it")
        return piece

    def header_of(self, opened: tarfile.TarFile) -> tarfile.TarInfo | None:
        self.left = _MOST_HEADER
        return opened.next()

    @contextmanager
    def unlimited(self) -> Iterator[None]:
        self.limited = False
        yield
        self.limited = True


def _check_end(rest: IO[bytes], meter: _Meter) -> None:
    """Raise DataError where a tar file ends without its mark, two blocks of zeros: `tarfile` would not say so."""
    length = 0
    while piece := rest.read(_PIECE):
        length += len(piece)
        meter.add(len(piece), "the end")
        if piece.count(0) != len(piece):
            raise DataError("an entry's head is damaged, or something follows the end: get it again, or pack it anew")
    if not length:
        raise DataError("it is cut off, the mark of its end is missing: get it again, or pack it anew")


def _refused(name: str, why: str) -> DataError:
    return DataError(f"the entry {shortened(name)} {why}, expected plain files and folders: pack it again without")
