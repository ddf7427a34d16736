"""Windows on images: cutting out, and keeping inside."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Window(NamedTuple):
    """A half-open rectangle of whole pixels: rows [top, bottom), columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the view of `array` (H, W, ...) inside the window."""
        return array[self.top : self.bottom, self.left : self.right]


def window_around(center_yx: tuple[float, float], size_hw: tuple[int, int], image_hw: tuple[int, int]) -> Window:
    """Return a window of `size_hw` centred at `center_yx`, moved (and if need be shrunk) to lie inside the image.

    >>> window_around((2, 50), (20, 20), (100, 60))
    Window(top=0, left=40, bottom=20, right=60)
    """
    height, width = min(size_hw[0], image_hw[0]), min(size_hw[1], image_hw[1])
    top = min(max(round(center_yx[0] - height / 2), 0), image_hw[0] - height)
    left = min(max(round(center_yx[1] - width / 2), 0), image_hw[1] - width)
    return Window(top, left, top + height, left + width)
