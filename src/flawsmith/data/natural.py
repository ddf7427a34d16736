"""The order in which people number files: 2 before 10."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Return a sort key that compares runs of digits as numbers and letters without regard to case.

    >>> sorted(["b10", "b2", "A3"], key=natural_key)
    ['A3', 'b2', 'b10']
    """
    parts = _DIGITS.split(text)
    return [int(part) if number % 2 else part.casefold() for number, part in enumerate(parts)], text
