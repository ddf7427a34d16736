"""The files that say what the numbers or colours in class masks mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flawsmith.core.errors import DataError
from flawsmith.data.readers.listing import is_good
from flawsmith.data.readers.tables import read_text

_NUMBER_FILES = ("classes.txt", "classes.json", "labels.txt")
_COLOUR_FILES = ("colours.csv", "colors.csv", "classes.csv", "class_dict.csv", "labelmap.txt")
_BACKGROUND = frozenset({"background", "bg", "_background_", "__background__", "none", "__ignore__", "ignore", "void"})
# Both see lines without runs of white space, so that no line takes long to match.
_NUMBERED = re.compile(r"(\d{1,5}) ?[:=,; ] ?(.*\S)")
_COLOUR = re.compile(r'"?(.*?[^ "])"? ?[,;: ] ?(\d+) ?[,; ] ?(\d+) ?[,; ] ?(\d+) ?(?::.*)?')


def is_background(name: str) -> bool:
    """Return whether a class of this name marks no defect.

    >>> is_background("_background_"), is_background("OK"), is_background("scratch")
    (True, True, False)
    """
    return name.casefold() in _BACKGROUND or is_good(name)


def class_numbers(folders: Iterable[Path]) -> dict[int, str] | None:
    """Return the names of class numbers from classes.txt, classes.json or labels.txt in one of the folders, or None.

    A text file has a name per line (from 0 if the first is the background, else from 1) or `NUMBER NAME` lines; a JSON
    file has a list, {"1": "name"} or {"name": 1}. Background and names of good parts are kept. Raises DataError for
    anything else.
    """
    file = next(_existing(folders, _NUMBER_FILES), None)
    if file is None:
        return None
    text = read_text(file)
    names = _from_json(file, text) if file.suffix == ".json" else _from_lines(text)
    if not names:
        raise DataError(f"{file} names no classes: write one name per line, or remove it")
    return names


def class_colours(folders: Iterable[Path]) -> dict[int, str] | None:
    """Return the names of colours (as 0xRRGGBB) from colours.csv, classes.csv or labelmap.txt, or None.

    A file counts if some line reads `name,r,g,b` or `name:r,g,b`; then all but the first and those behind `#` must.
    Background and names of good parts are kept. Raises DataError, naming the line.
    """
    for file in _existing(folders, _COLOUR_FILES):
        rows = [(f"{file}, line {number}", line) for number, line in _lines(read_text(file))]
        matches = [(place, line, _COLOUR.fullmatch(line)) for place, line in rows]
        if any(match for _, _, match in matches):
            return _colours(matches[1:] if not matches[0][2] else matches)
    return None


def _existing(folders: Iterable[Path], names: Iterable[str]) -> Iterator[Path]:
    names = list(names)
    return (folder / name for folder in folders for name in names if (folder / name).is_file())


def _lines(text: str) -> list[tuple[int, str]]:
    lines = ((number, " ".join(line.split())) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _from_lines(text: str) -> dict[int, str]:
    lines = [line for _, line in _lines(text)]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(numbered):
        return {int(match[1]): match[2] for match in numbered if match}
    return _in_order(lines)


def _in_order(names: list[str]) -> dict[int, str]:
    if names and names[0].casefold() == "__ignore__":  # labelme's first line stands for -1
        names = names[1:]
    first = 0 if names and is_background(names[0]) else 1
    return dict(enumerate(names, first))


def _from_json(file: Path, text: str) -> dict[int, str]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}") from error
    if isinstance(data, list) and all(isinstance(name, str) and name.strip() for name in data):
        return _in_order([name.strip() for name in data])
    pairs = [_numbered(key, value) for key, value in data.items()] if isinstance(data, Mapping) else [None]
    if not all(pairs):
        raise DataError(f'{file}: expected a list of names, {{"1": "name"}} or {{"name": 1}}')
    return dict(pair for pair in pairs if pair)


def _numbered(key: str, value: Any) -> tuple[int, str] | None:
    if isinstance(value, str) and value.strip() and re.fullmatch("[0-9]{1,5}", key):
        return int(key), value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**16 and key.strip():
        return value, key.strip()
    return None


def _colours(matches: list[tuple[str, str, re.Match[str] | None]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for place, line, match in matches:
        red, green, blue = (min(int(match[part][:9]), 256) for part in (2, 3, 4)) if match else (256, 256, 256)
        if match is None or max(red, green, blue) > 255:
            raise DataError(f"{place}: expected name,red,green,blue with values from 0 to 255, got {line[:80]!r}")
        colour = red << 16 | green << 8 | blue
        if names.setdefault(colour, match[1]) != match[1]:
            raise DataError(f"{place}: {names[colour]!r} and {match[1]!r} have one colour: give each its own")
    return names
