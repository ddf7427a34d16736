"""Text inside PNG files: tEXt, zTXt and iTXt chunks (PNG specification, third edition, 11.3.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from flawsmith.core.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(SIGNATURE) + 25
"""Where the IHDR chunk, always first and always of 13 bytes, ends."""
_MOST_TEXT = 64 * 2**20
"""A text chunk that unpacks to more bytes than this is refused."""


def with_text(png: bytes, text: Mapping[str, str]) -> bytes:
    """Return the PNG file `png` with one text chunk per item right after its header.

    Keywords are 1 to 79 Latin-1 characters. Raises ImageError for another keyword, or a NUL in a text.
    """
    chunks = b"".join(_chunk(*_text_chunk(keyword, value)) for keyword, value in text.items())
    return png[:_HEADER_END] + chunks + png[_HEADER_END:]


def read_text(file: BinaryIO) -> dict[str, str]:
    """Return the texts of a PNG file by keyword. Raises ImageError where a chunk is cut off or damaged."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ImageError("it is not a PNG file")
    return dict(_parse(kind, data) for kind, data in _text_chunks(file))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text_chunk(keyword: str, value: str) -> tuple[bytes, bytes]:
    if not 1 <= len(keyword) <= 79 or not keyword.isprintable() or not _is_latin(keyword):
        raise ImageError(f"a PNG keyword has 1 to 79 printable Latin-1 characters, got {keyword!r}")
    if "\0" in value:
        raise ImageError(f"the PNG text {keyword!r} holds a NUL character: remove it")
    start = keyword.encode("latin-1") + b"\0"
    if value.isascii():
        return b"tEXt", start + value.encode("ascii")
    return b"iTXt", start + b"\0\0\0\0" + value.encode("utf-8")


def _is_latin(text: str) -> bool:
    return all(ord(letter) < 256 for letter in text)


def _text_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ImageError("the PNG file ends before its IEND chunk")
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            file.seek(length + 4, 1)
            continue
        data, check = file.read(length), file.read(4)
        if len(check) < 4 or zlib.crc32(kind + data) != struct.unpack(">I", check)[0]:
            raise ImageError(f"a {kind.decode()} chunk is damaged or cut off")
        yield kind, data


def _parse(kind: bytes, data: bytes) -> tuple[str, str]:
    keyword, _, rest = data.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        return name, _inflate(rest[1:]).decode("latin-1")
    packed, (_, _, text) = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    return name, (_inflate(text) if packed else text).decode("utf-8")


def _inflate(data: bytes) -> bytes:
    machine = zlib.decompressobj()
    text = machine.decompress(data, _MOST_TEXT)
    if machine.unconsumed_tail:
        raise ImageError(f"a PNG text unpacks to more than {_MOST_TEXT} bytes")
    return text
