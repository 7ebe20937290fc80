"""What pictures over a frame have in common: the frame, a title, and a legend below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tasks.pictures.canvas import FAINT, INK, PALETTE, Align, Canvas, Color, Image, shortened, text_width

FRAME_PIXELS = 1280
"""The longer side of the frame in a picture."""
MARGIN = 24
TITLE_SIZE = 24
TEXT_SIZE = 15
HEAD_HEIGHT = 84
OTHERS: Color = (150, 155, 160)
"""The colour of what has none of its own."""
_LEAST_WIDTH = 720
_ROW_HEIGHT = 28
_SWATCH = 14


@dataclass(frozen=True)
class Frame:
    """The frame that a picture is drawn over.

    Args:
        image: As shown, with square pixels, of the size it has in the picture.
        scale_x: From pixels of boxes to its own.
        scale_y: Likewise.
    """

    image: Image
    scale_x: float
    scale_y: float

    @classmethod
    def of(cls, image: Image, box_width: int, box_height: int) -> "Frame":
        """Scale an image for a picture; boxes are in pixels of a frame of the other size."""
        height, width = image.shape[:2]
        scale = FRAME_PIXELS / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        return cls(scaled, size[0] / box_width, size[1] / box_height)

    @property
    def width(self) -> int:
        """In pixels of the picture."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Likewise."""
        return int(self.image.shape[0])

    def faded(self) -> Image:
        """The frame without colours, so that those of the picture stand out."""
        grey = cv2.cvtColor(cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return np.round(grey * 0.55 + 16).astype(np.uint8)


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    color: Color
    text: str


def title_of(summary: Mapping[str, Any]) -> str:
    """What a picture is about."""
    return str(summary["video"]["filename"])


def counts_of(summary: Mapping[str, Any]) -> str:
    """How much was found."""
    detections = sum(count["detections"] for count in summary["counts"])
    tracks = sum(count["tracks"] for count in summary["counts"])
    found = plural(detections, "detection")
    if summary["settings"]["tracker"] != "NONE":
        found += f", {plural(tracks, 'track')}"
    return found


def label_order(summary: Mapping[str, Any]) -> list[str]:
    """The labels that were found, most detections first: each has the same colour in all pictures."""
    counts = sorted(summary["counts"], key=lambda count: (-count["detections"], count["label"]))
    return [count["label"] for count in counts if count["detections"]]


def label_colors(summary: Mapping[str, Any]) -> dict[str, Color]:
    """A colour for each label; the rarest share one when there are more than can be told apart."""
    return {
        label: PALETTE[number] if number < len(PALETTE) else OTHERS
        for number, label in enumerate(label_order(summary))
    }


def plural(number: int, name: str) -> str:
    """A number of things."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def framed(frame: Frame, picture: Image, title: str, words: str, keys: Sequence[Key], foot: int) -> Canvas:
    """A page with a title, the frame as it is drawn on, and a legend; `foot` more pixels are left below."""
    width = max(frame.width + 2 * MARGIN, _LEAST_WIDTH)
    rows = _legend_rows(keys, width - 2 * MARGIN)
    height = HEAD_HEIGHT + frame.height + MARGIN + len(rows) * _ROW_HEIGHT + foot
    canvas = Canvas.blank(width, height)
    head(canvas, title, words)
    canvas.paste(picture, (width - frame.width) // 2, HEAD_HEIGHT)
    top = HEAD_HEIGHT + frame.height + MARGIN // 2 + _ROW_HEIGHT / 2
    for number, row in enumerate(rows):
        _draw_row(canvas, row, top + number * _ROW_HEIGHT)
    return canvas


def head(canvas: Canvas, title: str, words: str) -> None:
    """The title, and what is shown."""
    room = canvas.image.shape[1] - 2 * MARGIN
    canvas.text(shortened(title, TITLE_SIZE, room), MARGIN, 30, TITLE_SIZE, INK)
    canvas.text(shortened(words, TEXT_SIZE, room), MARGIN, 60, TEXT_SIZE, FAINT)


def _legend_rows(keys: Sequence[Key], width: float) -> list[list[Key]]:
    rows: list[list[Key]] = []
    used = 0.0
    for key in keys:
        needed = _SWATCH + 8 + text_width(key.text, TEXT_SIZE) + MARGIN
        if not rows or used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(key)
        used += needed
    return rows


def _draw_row(canvas: Canvas, keys: Sequence[Key], y: float) -> None:
    x = float(MARGIN)
    for key in keys:
        canvas.fill(x, y - _SWATCH / 2, x + _SWATCH, y + _SWATCH / 2, key.color)
        canvas.text(key.text, x + _SWATCH + 8, y, TEXT_SIZE, INK, Align.LEFT)
        x += _SWATCH + 8 + text_width(key.text, TEXT_SIZE) + MARGIN
