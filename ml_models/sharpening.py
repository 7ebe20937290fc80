"""Blurred faces made sharper before they are described: networks learnt from sharp ones.

Two blurred faces are like each other whosever they are, and not like their sharp selves. Measured with
mobilefacenet on the tracks of `benchmarks.people`, each blurred (Gaussian, in 112 by 112 pixels), cosines
before and after:

| Blur, pixels | One person, blurred and sharp: median | Two people, one blurred: highest | Both: highest |
|---|---|---|---|
| 1.5 | 0.85, 0.88 | 0.54, 0.45 | 0.61, 0.47 |
| 2 | 0.71, 0.82 | 0.57, 0.45 | 0.69, 0.50 |
| 2.5 | 0.52, 0.74 | 0.55, 0.43 | 0.76, 0.55 |
| 3 | 0.36, 0.67 | 0.48, 0.42 | 0.85, 0.58 |
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_models.base import Frame

SHARP = 0.14
"""What `sharpness` is from which on a face stays as it is."""
MOST_SHARPENING = 4.0
LEAST_SHARPENING = 0.05
_PASSES = 2
"""One often does not reach `SHARP`: all figures above are better with two than with one."""

_BLUR_PIXELS = 2.0
_NONE = 1e-3
"""The deviation of a blur that is none: OpenCV takes 0 for as much as in the other direction."""
_INNER = (slice(16, 104), slice(16, 96))
"""Of an upright face: without hair and background."""


def sharpness(face: Frame) -> float:
    """Of an upright face, BGR in 112 by 112 pixels: the share of its contrast that a blur would take away.

    The larger one of a blur across and a blur down: a face that is only smeared counts as sharp, for it does
    not get better by sharpening. In those tracks it is 0.09 to 0.29, and 0.08 after a blur of 2 pixels.
    """
    levels = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)[_INNER].astype(np.float32)
    contrast = float(levels.std())
    if contrast == 0:
        return 1.0
    taken = max(
        float((levels - cv2.GaussianBlur(levels, (0, 0), sigmaX=across, sigmaY=down)).std())
        for across, down in ((_BLUR_PIXELS, _NONE), (_NONE, _BLUR_PIXELS))
    )
    return taken / contrast


def sharpened(face: Frame) -> Frame:
    """The same face, made the sharper (unsharp masking) the more it is blurred; a sharp one itself."""
    for _ in range(_PASSES):
        amount = min(MOST_SHARPENING, (SHARP / max(sharpness(face), SHARP / 10)) ** 2 - 1)
        if amount < LEAST_SHARPENING:
            break
        levels: NDArray[np.float32] = face.astype(np.float32)
        levels += amount * (levels - cv2.GaussianBlur(levels, (0, 0), _BLUR_PIXELS))
        face = levels.clip(0, 255).astype(np.uint8)
    return face
