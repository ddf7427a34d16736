"""Caption files: one text per image, `x, y, name`, its place in the pattern in pixels and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened

from flawsmith.core.errors import DataError
from flawsmith.core.files import write_text
from flawsmith.data.natural import natural_key
from flawsmith.data.readers.tables import read_text

_LINE = "x, y, name"


@dataclass(frozen=True)
class Caption:
    """A place in the pattern (x, y in pixels) and the name of what the image shows there: a defect class, or good."""

    x: float
    y: float
    name: str

    def __post_init__(self) -> None:
        if not (isfinite(self.x) and isfinite(self.y)):
            raise DataError(f"a caption's x and y are numbers, got {self.x} and {self.y}")
        if not self.name or self.name.strip() != self.name or len(self.name.splitlines()) > 1:
            raise DataError(f"a caption's name is one line without outer spaces, got {shortened(self.name)}")

    def __str__(self) -> str:
        return f"{self.x:.2f}, {self.y:.2f}, {self.name}"


def write_captions(folder: Path, captions: Mapping[str, Caption]) -> None:
    """Write one file per caption: `folder/ID.txt`, where an id looks like a relative path (`scratch/0003`).

    Raises DataError for an id that leads out of the folder.
    """
    for id, caption in captions.items():
        if PurePosixPath(id).is_absolute() or ".." in PurePosixPath(id).parts:
            raise DataError(f"a caption's id is a relative path without '..', got {shortened(id)}")
        write_text(folder / f"{id}.txt", f"{caption}\n")


def read_captions(folder: Path) -> dict[str, Caption]:
    """Read every `*.txt` under a folder, by id: the file's relative path without suffix, in natural order.

    Raises DataError where the folder has none, a file leads outside the folder, or one is no caption.
    """
    files = sorted(folder.rglob("*.txt"), key=lambda file: natural_key(file.as_posix()))
    if not files:
        raise DataError(f"{folder} holds no captions: expected one .txt per image, each with a line `{_LINE}`")
    home = folder.resolve()
    for file in files:
        if not file.resolve().is_relative_to(home):
            raise DataError(f"{file} leads outside {folder}: put the caption itself there")
    return {file.relative_to(folder).with_suffix("").as_posix(): read_caption(file) for file in files}


def read_caption(file: Path) -> Caption:
    """Read one caption file: a line `x, y, name`; spaces, empty lines and further commas in the name do not matter.

    Raises DataError, naming file and line, for anything else.
    """
    lines = [(number, line) for number, line in enumerate(read_text(file).splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{file}: empty, expected a line `{_LINE}`")
    if len(lines) > 1:
        raise DataError(f"{file}, line {lines[1][0]}: a second caption; expected one line `{_LINE}` per image")
    number, line = lines[0]
    return _caption(line, f"{file}, line {number}")


def _caption(line: str, place: str) -> Caption:
    cells = [cell.strip() for cell in line.split(",", 2)]
    if len(cells) < 3:
        raise DataError(f"{place}: got {shortened(line)}, expected `{_LINE}` with two commas")
    try:
        return Caption(float(cells[0]), float(cells[1]), cells[2])
    except ValueError as error:  # DataError is one too
        raise DataError(f"{place}: got {shortened(line)}, expected `{_LINE}` ({error})") from None
