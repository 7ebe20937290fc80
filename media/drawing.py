"""Drawing boxes and labels straight into the planes of a YUV 4:2:0 picture.

Working in YUV leaves every pixel that is not drawn on as the decoder gave it, and saves two colour
conversions a frame.
"""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from media.masks import MaskRuns
from media.text import text_mask

Plane = NDArray[np.uint8]

_GOLDEN_RATIO = 0.618033988749895
_UNTRACKED = (200, 128, 128)
"""Light grey; the colours of tracks are all bright."""
_DARK, _LIGHT = (16, 128, 128), (235, 128, 128)
_LIGHT_LUMA = 120
"""Fills brighter than this carry dark text."""
_MAX_LABEL_CHARACTERS = 48
_MASK_OPACITY = 0.4


@dataclass(frozen=True)
class OverlayBox:
    """One box to draw.

    Args:
        x1: Left edge, in pixels as shown.
        y1: Top edge.
        x2: Right edge.
        y2: Bottom edge.
        label: What it is.
        confidence: From 0 to 1.
        track_id: Which one it is, None where nothing is tracked.
        mask: Its pixels, within the picture; None where only the box is known.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: str
    confidence: float
    track_id: int | None = None
    mask: MaskRuns | None = None


@dataclass(frozen=True)
class Canvas:
    """A limited-range YUV 4:2:0 picture.

    Args:
        luma: uint8 (height, width).
        blue: uint8, half as high and wide, rounded up.
        red: Likewise.
        luma_weights: Of red and blue in luma (KR, KB), which the colour matrix sets.
    """

    luma: Plane
    blue: Plane
    red: Plane
    luma_weights: tuple[float, float]


def draw_boxes(canvas: Canvas, boxes: Sequence[OverlayBox]) -> None:
    """Draw `boxes` in place: a thin box in a colour per track, a pill with label, track and confidence.

    Boxes without a track are light grey. Sizes follow the picture's. Masks are tinted, below all else. Surer
    boxes lie on top, labels on top of all boxes.
    """
    height, width = canvas.luma.shape
    thickness = max(1.6, min(height, width) / 300)
    font_size = max(11, round(min(height, width) / 36))
    ordered = sorted(boxes, key=lambda box: box.confidence)
    for box in ordered:
        if box.mask is not None:
            _draw_mask(canvas, box.mask, _color(box, canvas.luma_weights))
    for box in ordered:
        _draw_outline(canvas, box, _color(box, canvas.luma_weights), thickness)
    for box in ordered:
        _draw_label(canvas, box, _color(box, canvas.luma_weights), font_size, thickness)


def _color(box: OverlayBox, luma_weights: tuple[float, float]) -> tuple[int, int, int]:
    return _UNTRACKED if box.track_id is None else _palette(box.track_id, luma_weights)


@lru_cache(maxsize=4096)
def _palette(key: int, luma_weights: tuple[float, float]) -> tuple[int, int, int]:
    """Well-told-apart bright colours: hues stepped by the golden ratio; as (Y, Cb, Cr)."""
    red, green, blue = colorsys.hsv_to_rgb(key * _GOLDEN_RATIO % 1.0, 0.70, 0.98)
    red_weight, blue_weight = luma_weights
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    blue_difference = (blue - luma) / (2 * (1 - blue_weight))
    red_difference = (red - luma) / (2 * (1 - red_weight))
    return round(16 + 219 * luma), round(128 + 224 * blue_difference), round(128 + 224 * red_difference)


def _draw_mask(canvas: Canvas, mask: MaskRuns, color: tuple[int, int, int]) -> None:
    """Half transparent, in place."""
    left, top, pixels = mask.crop()
    # From an even row and column on, as those of the halved planes are.
    x, y = left - left % 2, top - top % 2
    shape = np.zeros((_even(top - y + pixels.shape[0]), _even(left - x + pixels.shape[1])), np.uint8)
    inside = shape[top - y : top - y + pixels.shape[0], left - x : left - x + pixels.shape[1]]
    inside[:] = pixels * round(255 * _MASK_OPACITY)
    for plane, value, divisor in zip((canvas.luma, canvas.blue, canvas.red), color, (1, 2, 2), strict=True):
        region = plane[y // divisor :, x // divisor :][
            : shape.shape[0] // divisor, : shape.shape[1] // divisor
        ]
        size = shape.shape[1] // divisor, shape.shape[0] // divisor
        shares = shape if divisor == 1 else cv2.resize(shape, size, interpolation=cv2.INTER_AREA)
        weights = shares[: region.shape[0], : region.shape[1]].astype(np.int32)
        region[:] = region + (value - region.astype(np.int32)) * weights // 255


def _draw_outline(canvas: Canvas, box: OverlayBox, color: tuple[int, int, int], thickness: float) -> None:
    """Lines of exactly `thickness`, blended where they cover a part of a pixel."""
    height, width = canvas.luma.shape
    half = thickness / 2
    x1, x2 = (min(max(value, half), width - half) for value in (box.x1, box.x2))
    y1, y2 = (min(max(value, half), height - half) for value in (box.y1, box.y2))
    for plane, value, scale in zip((canvas.luma, canvas.blue, canvas.red), color, (1, 0.5, 0.5), strict=True):
        for top, bottom in ((y1 - half, y1 + half), (y2 - half, y2 + half)):
            _blend_bar(
                plane, value, ((x1 - half) * scale, (x2 + half) * scale), (top * scale, bottom * scale)
            )
        for left, right in ((x1 - half, x1 + half), (x2 - half, x2 + half)):
            _blend_bar(
                plane, value, (left * scale, right * scale), ((y1 + half) * scale, (y2 - half) * scale)
            )


def _blend_bar(plane: Plane, value: int, columns: tuple[float, float], rows: tuple[float, float]) -> None:
    (top, vertical), (left, horizontal) = _coverage(*rows), _coverage(*columns)
    if not vertical.size or not horizontal.size:
        return
    region = plane[top : top + len(vertical), left : left + len(horizontal)]
    shape = vertical[: region.shape[0], None] * horizontal[None, : region.shape[1]]
    below = region.astype(np.float32)
    region[:] = below + (value - below) * shape + 0.5


def _coverage(start: float, end: float) -> tuple[int, NDArray[np.float32]]:
    """First pixel that the stretch from `start` to `end` touches, and the share of each that it covers."""
    first, last = int(start), math.ceil(end)
    shares = np.ones(last - first if end > start else 0, np.float32)
    if shares.size:
        shares[0] -= start - first
        shares[-1] -= last - end
    return first, shares


def _draw_label(
    canvas: Canvas, box: OverlayBox, color: tuple[int, int, int], font_size: int, thickness: float
) -> None:
    """Above the box, inside it where there is no room above; always inside the picture."""
    name = box.label[:_MAX_LABEL_CHARACTERS]
    if box.track_id is not None:
        name = f"{name} {box.track_id}"
    text = np.concatenate(
        [
            text_mask(name, font_size),
            text_mask(" ", font_size),
            text_mask(f"{box.confidence:.2f}", font_size),
        ],
        axis=1,
    )
    height, width = canvas.luma.shape
    margin = max(font_size // 3, 2)
    pill_height = min(_even(text.shape[0] + margin // 2), height // 2 * 2)
    pill_width = min(_even(text.shape[1] + 2 * margin), width // 2 * 2)
    if pill_height < 2 or pill_width < 2:
        return
    top = box.y1 - pill_height + thickness / 2
    if top < 0:
        top = box.y1
    left = min(max(box.x1 - thickness / 2, 0), width - pill_width)
    top = min(max(top, 0), height - pill_height)
    x, y = (
        min(2 * round(value / 2), limit // 2 * 2)
        for value, limit in ((left, width - pill_width), (top, height - pill_height))
    )
    letters = np.zeros((pill_height, pill_width), np.uint8)
    visible = text[:pill_height, : max(pill_width - margin, 0)]
    offset = (pill_height - visible.shape[0]) // 2
    letters[offset : offset + visible.shape[0], margin : margin + visible.shape[1]] = visible[
        :, : pill_width - margin
    ]
    ink = _DARK if color[0] > _LIGHT_LUMA else _LIGHT
    _blend(canvas, x, y, _pill_mask(pill_height, pill_width), letters, color, ink)


def _even(value: int) -> int:
    return value + (value & 1)


def _blend(
    canvas: Canvas,
    x: int,
    y: int,
    pill: Plane,
    letters: Plane,
    fill: tuple[int, int, int],
    ink: tuple[int, int, int],
) -> None:
    planes = (canvas.luma, canvas.blue, canvas.red)
    for plane, fill_value, ink_value, divisor in zip(planes, fill, ink, (1, 2, 2), strict=True):
        height, width = pill.shape[0] // divisor, pill.shape[1] // divisor
        region = plane[y // divisor : y // divisor + height, x // divisor : x // divisor + width]
        shape, inside = (
            (
                mask if divisor == 1 else cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
            ).astype(np.int32)
            for mask in (pill, letters)
        )
        surface = fill_value + (ink_value - fill_value) * inside // 255
        region[:] = region + (surface - region) * shape // 255


@lru_cache(maxsize=256)
def _pill_mask(height: int, width: int) -> Plane:
    """Coverage 0 to 255 of a rounded rectangle."""
    scale = 4
    mask = np.zeros((height * scale, width * scale), np.uint8)
    radius = min(height, width) * scale // 4
    right, bottom = width * scale - 1, height * scale - 1
    cv2.rectangle(mask, (radius, 0), (right - radius, bottom), 255, -1)
    cv2.rectangle(mask, (0, radius), (right, bottom - radius), 255, -1)
    for center in (
        (radius, radius),
        (right - radius, radius),
        (radius, bottom - radius),
        (right - radius, bottom - radius),
    ):
        cv2.circle(mask, center, radius, 255, -1)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
