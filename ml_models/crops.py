"""Parts of frames, as embedding models look at them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
"""Where the five landmarks of a face lie in 112 by 112 pixels: the eye at the left of the picture, the one at
the right, nose, corners of the mouth: that of ArcFace (Deng and others, 2019), and of OpenCV's SFace."""

_SIDE = 112


def aligned_face(frame: Frame, landmarks: FloatArray) -> Frame:
    """The face turned, scaled and moved so that its landmarks (5, 2) come nearest to `ARCFACE_TEMPLATE`."""
    matrix = similarity_transform(landmarks.astype(np.float64), ARCFACE_TEMPLATE)
    return cv2.warpAffine(frame, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def similarity_transform(points: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, scaling and shift that brings points (n, 2) nearest to the target: a matrix (2, 3).

    In closed form: in the complex plane it is z → a·z + b, of least squares. Unlike Umeyama's (1991) it needs
    no decomposition, and never mirrors. Points that are all the same are only shifted.
    """
    z, w = points @ [1, 1j], target @ [1, 1j]
    z_mean, w_mean = z.mean(), w.mean()
    spread = (abs(z - z_mean) ** 2).sum()
    a = (np.conj(z - z_mean) * (w - w_mean)).sum() / spread if spread > 0 else 1.0 + 0j
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def crop(frame: Frame, box: FloatArray) -> Frame:
    """What lies in the box (x1, y1, x2, y2), in whole pixels, at least one of them."""
    height, width = frame.shape[:2]
    x1, y1 = np.floor(box[:2]).clip(0, [width - 1, height - 1]).astype(int)
    x2, y2 = np.ceil(box[2:]).clip([x1 + 1, y1 + 1], [width, height]).astype(int)
    return frame[y1:y2, x1:x2]
