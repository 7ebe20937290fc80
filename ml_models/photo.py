"""A real photograph that every installation has, for trying models out."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np

from ml_models.base import Frame

FACE_BOX = np.array([179, 123, 355, 333], dtype=np.float32)
"""The face in it, as YuNet finds it: corners."""
FACE_LANDMARKS = np.array([[226, 193], [307, 193], [267, 237], [231, 270], [301, 269]], dtype=np.float32)
"""Its landmarks, likewise."""
PERSON_BOX = np.array([8, 41, 512, 581], dtype=np.float32)
"""The person in it, as YOLOX finds her."""


def read_photo() -> Frame:
    """Grace Hopper, by James S. Davis, US Navy (in the public domain), which matplotlib carries.

    Raises:
        FileNotFoundError: This matplotlib carries it no more.
    """
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path} is missing")
    return image  # type: ignore[return-value]
