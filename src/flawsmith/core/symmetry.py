"""Views of a picture that are as likely as the picture itself: mirrored, or turned by quarters as well."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Symmetry = Literal["none", "mirror", "square"]
"""As it is; mirrored both ways, so that grain and lighting keep their direction; or all eight views of a square."""


class View(NamedTuple):
    """One view: rows and columns taken forwards (1) or backwards (-1), then their axes exchanged or not."""

    down: int = 1
    across: int = 1
    swapped: bool = False

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an HW(C) array seen this way, as a copy."""
        mirrored = array[:: self.down, :: self.across]
        return (mirrored.swapaxes(0, 1) if self.swapped else mirrored).copy()

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The same as a 2 x 2 matrix on (y, x)."""
        mirrored = np.diag([float(self.down), float(self.across)])
        return mirrored[::-1] if self.swapped else mirrored


def views(symmetry: Symmetry) -> tuple[View, ...]:
    """Return every view a symmetry allows, the picture as it is first."""
    both = (1, -1) if symmetry != "none" else (1,)
    swaps = (False, True) if symmetry == "square" else (False,)
    return tuple(View(down, across, swapped) for swapped in swaps for down in both for across in both)


def check_turns(symmetry: Symmetry, size_hw: tuple[int, int]) -> None:
    """Raise ValueError for pictures of one size that would have another when turned by a quarter."""
    if symmetry == "square" and size_hw[0] != size_hw[1]:
        raise ValueError(f"size_hw {size_hw} is not square, but symmetry 'square' turns by quarters")


def draw_view(symmetry: Symmetry, rng: np.random.Generator) -> View:
    """Draw one of the views a symmetry allows, each as likely as another."""
    down, across = (int(step) for step in (rng.choice((1, -1), 2) if symmetry != "none" else (1, 1)))
    return View(down, across, bool(symmetry == "square" and rng.random() < 0.5))
