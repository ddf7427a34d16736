"""The order in which people number files: 2 before 10."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """Return a sort key that compares runs of digits as numbers and letters without regard to case.

    >>> sorted(["b10", "b2", "A3"], key=natural_key)
    ['A3', 'b2', 'b10']
    """
    parts = _DIGITS.split(text)
    return [_number(part) if place % 2 else part.casefold() for place, part in enumerate(parts)], text


def _number(digits: str) -> tuple[int, str]:
    # Not by int(), which refuses more than some thousand digits: strangers' tables may hold them.
    plain = digits.lstrip("0")
    return len(plain), plain
