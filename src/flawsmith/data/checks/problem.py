"""One finding of the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One finding: the file (or folder) it is about, its kind, and what to do; `others` are further files concerned.

    The kinds are the files of `data/checks/kinds`, described in docs/check.md. An "error" cannot be worked with, a
    "warning" should be looked at, a "note" is good to know.
    """

    file: Path
    kind: str
    message: str
    severity: Severity
    others: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; bytes of a name that are no UTF-8 are written as %XX."""
        files = {"file": printable(str(self.file)), "others": [printable(str(path)) for path in self.others]}
        return {**files, "kind": self.kind, "message": printable(self.message), "severity": self.severity}

    @classmethod
    def from_json(cls, row: dict[str, Any], path_of: Callable[[str], Path] = Path) -> Problem:
        """Rebuild a problem from `to_json` data; `path_of` finds a file by its printable name."""
        others = tuple(path_of(each) for each in row["others"])
        return cls(path_of(row["file"]), row["kind"], row["message"], row["severity"], others)


def printable(name: str) -> str:
    r"""Return a file name as valid text: bytes that are no UTF-8 (Python keeps them as surrogates) become %XX.

    >>> printable("Ma\udcdf.png"), printable("Maß.png")
    ('Ma%DF.png', 'Maß.png')
    """
    return "".join(f"%{ord(each) & 0xFF:02X}" if 0xD800 <= ord(each) <= 0xDFFF else each for each in name)
