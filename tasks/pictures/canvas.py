"""Drawing shapes and texts on a picture."""

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from media.text import text_mask

Color = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

Image = NDArray[np.uint8]
"""BGR, (height, width, 3)."""

WHITE: Color = (255, 255, 255)
INK: Color = (33, 37, 41)
FAINT: Color = (104, 112, 120)
RULE: Color = (222, 226, 230)

PALETTE: tuple[Color, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
)
"""Told apart also by the colour-blind: Okabe and Ito, "Color Universal Design", 2008, without its black."""

_SHIFT = 4
"""Bits below the pixel that lines are placed with."""


class Align(Enum):
    """Which point of a text is given."""

    LEFT = 0.0
    CENTER = 0.5
    RIGHT = 1.0


def palette_color(number: int) -> Color:
    """A colour for the things of this number; they repeat."""
    return PALETTE[number % len(PALETTE)]


class Canvas:
    """A picture to draw on.

    Args:
        image: BGR, (height, width, 3); drawn on in place.
    """

    def __init__(self, image: Image) -> None:
        self.image = image

    @classmethod
    def blank(cls, width: int, height: int) -> "Canvas":
        """A white one."""
        return cls(np.full((height, width, 3), 255, np.uint8))

    def paste(self, image: Image, left: int, top: int) -> None:
        """Put an image there; it must fit."""
        height, width = image.shape[:2]
        self.image[top : top + height, left : left + width] = image

    def fill(
        self, left: float, top: float, right: float, bottom: float, color: Color, opacity: float = 1.0
    ) -> None:
        """A filled rectangle, of whole pixels."""
        part = self.image[max(round(top), 0) : round(bottom), max(round(left), 0) : round(right)]
        if part.size:
            part[:] = np.round(part * (1 - opacity) + np.array(color[::-1]) * opacity).astype(np.uint8)

    def line(self, points: Sequence[tuple[float, float]], color: Color, width: int = 1) -> None:
        """An open line through these points."""
        self._lines(points, color, width, is_closed=False)

    def outline(self, points: Sequence[tuple[float, float]], color: Color, width: int = 1) -> None:
        """A closed line through these points."""
        self._lines(points, color, width, is_closed=True)

    def area(self, points: Sequence[tuple[float, float]], color: Color, opacity: float = 1.0) -> None:
        """The inside of a polygon, by the even-odd rule."""
        layer = self.image.copy()
        cv2.fillPoly(layer, [_fixed(points)], color[::-1], cv2.LINE_AA, _SHIFT)
        cv2.addWeighted(layer, opacity, self.image, 1 - opacity, 0, dst=self.image)

    def dot(
        self, center: tuple[float, float], radius: float, color: Color, ring: Color | None = None
    ) -> None:
        """A disc, with a ring around it if that has a colour."""
        x, y = (round(value * 2**_SHIFT) for value in center)
        if ring is not None:
            cv2.circle(
                self.image, (x, y), round((radius + 1.5) * 2**_SHIFT), ring[::-1], -1, cv2.LINE_AA, _SHIFT
            )
        cv2.circle(self.image, (x, y), round(radius * 2**_SHIFT), color[::-1], -1, cv2.LINE_AA, _SHIFT)

    def text(
        self,
        text: str,
        x: float,
        y: float,
        size: int,
        color: Color = INK,
        align: Align = Align.LEFT,
        backing: Color | None = None,
    ) -> None:
        """A line of text at a point that is half-way up its height, kept inside of the picture.

        Args:
            text: What it says.
            x: Of the point.
            y: Likewise.
            size: Of the font, in pixels.
            color: Of the letters.
            align: Where in the text the point is.
            backing: The colour of a plate behind it, if there is to be one.
        """
        mask = text_mask(text, size)
        height, width = mask.shape
        pad = size // 3 if backing is not None else 0
        left = round(min(max(x - align.value * width, pad), max(self.image.shape[1] - width - pad, 0)))
        top = round(min(max(y - height / 2, 0), max(self.image.shape[0] - height, 0)))
        if backing is not None:
            self.fill(left - pad, top, left + width + pad, top + height, backing, 0.82)
        part = self.image[top : top + height, left : left + width]
        share = mask[: part.shape[0], : part.shape[1], None] / 255
        part[:] = np.round(part * (1 - share) + np.array(color[::-1]) * share).astype(np.uint8)

    def _lines(
        self, points: Sequence[tuple[float, float]], color: Color, width: int, *, is_closed: bool
    ) -> None:
        cv2.polylines(self.image, [_fixed(points)], is_closed, color[::-1], width, cv2.LINE_AA, _SHIFT)


def text_width(text: str, size: int) -> int:
    """How many pixels wide a text is."""
    return int(text_mask(text, size).shape[1])


def shortened(text: str, size: int, width: float) -> str:
    """The text, cut off where it would be wider."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def write_png(path: str, canvas: Canvas) -> None:
    """Write a canvas as PNG."""
    done, encoded = cv2.imencode(".png", canvas.image)
    if not done:
        raise OSError(f"cannot write {path}")
    encoded.tofile(path)


def _fixed(points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.round(np.array(points, np.float64) * 2**_SHIFT).astype(np.int32)
    return fixed.reshape(-1, 1, 2)
