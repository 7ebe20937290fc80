"""A third party's package with a model, as it lies on the disk of somebody who installed it."""

from pathlib import Path

MODULE = """
import numpy as np
import supervision as sv
from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.catalog import MLModelSpec, MLTask

SPEC = MLModelSpec(
    name="frame-marker", task=MLTask.OBJECT_DETECTION, labels=("frame",), license="MIT",
    description="Marks every frame with one box whose confidence tells how bright it is.",
    implementation="frame_marker:FrameMarker", floor_confidence=0.0, default_confidence=0.0,
)

class FrameMarker(AbstractImageAnalysisMLModel):
    def _load(self):
        pass
    def _analyze(self, frames):
        return [sv.Detections(xyxy=np.array([[1, 1, f.shape[1] - 1, f.shape[0] - 1]], dtype=np.float32),
                confidence=np.array([f.mean() / 255], dtype=np.float32), class_id=np.array([0])) for f in frames]
"""

TROUBLE = """
import os, signal, time
from frame_marker import FrameMarker
from ml_models.catalog import MLModelSpec, MLTask

def _spec(name):
    return MLModelSpec(name=name, task=MLTask.OBJECT_DETECTION, labels=("frame",), license="MIT",
        description="Makes trouble.", implementation="frame_marker_trouble:Trouble",
        floor_confidence=0.0, default_confidence=0.0)

CRASHES, RAISES, SLEEPS = _spec("crashes"), _spec("raises"), _spec("sleeps")

class Trouble(FrameMarker):
    def _analyze(self, frames):
        if self.spec.name == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.spec.name == "sleeps":
            time.sleep(3600)
        raise RuntimeError("the lens cap is on")
"""

ENTRY_POINTS = """[framewise.ml_models]
frame-marker = frame_marker:SPEC
crashes = frame_marker_trouble:CRASHES
raises = frame_marker_trouble:RAISES
sleeps = frame_marker_trouble:SLEEPS
"""


def install_plugin(directory: Path) -> None:
    """Put the package where Python finds it when `directory` is on its path."""
    info = directory / "frame_marker-1.0.dist-info"
    info.mkdir(parents=True)
    (directory / "frame_marker.py").write_text(MODULE)
    (directory / "frame_marker_trouble.py").write_text(TROUBLE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frame-marker\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
