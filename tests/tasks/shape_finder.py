"""A small model that gives masks and points: it finds bright shapes on a dark ground, and needs no weights.

`install_shape_finder` makes a third party's package of this very file.
"""

from pathlib import Path

import cv2
import numpy as np
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.catalog import MLModelSpec, MLTask

SPEC = MLModelSpec(
    name="shape-finder",
    task=MLTask.OBJECT_DETECTION,
    labels=("shape",),
    license="MIT",
    description="Bright shapes with their masks, and two corners of each.",
    implementation="shape_finder:ShapeFinder",
    floor_confidence=0.0,
    default_confidence=0.0,
)


class ShapeFinder(AbstractImageAnalysisMLModel):
    def _load(self):
        pass

    def _analyze(self, frames):
        return [shapes_in(frame) for frame in frames]


def shapes_in(frame) -> sv.Detections:
    """The larger a shape, the surer."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((frame.mean(axis=2) > 127).astype(np.uint8))
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in stats[1:]], dtype=np.float32).reshape(-1, 4)
    pixels = stats[1:, 4]
    return sv.Detections(
        xyxy=boxes,
        mask=np.stack([pieces == number for number in range(1, count)])
        if count > 1
        else np.zeros((0, *frame.shape[:2]), bool),
        confidence=np.minimum(pixels / 5000, 1).astype(np.float32),
        class_id=np.zeros(count - 1, int),
        data={
            "landmarks": boxes.reshape(-1, 2, 2),
            "landmark_scores": np.tile(np.float32([0.25, 3.5]), (count - 1, 1)),
        },
    )


def install_shape_finder(directory: Path) -> None:
    """Put the package where Python finds it when `directory` is on its path."""
    info = directory / "shape_finder-1.0.dist-info"
    info.mkdir(parents=True)
    (directory / "shape_finder.py").write_text(Path(__file__).read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shape-finder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[framewise.ml_models]\nshape-finder = shape_finder:SPEC\n")
