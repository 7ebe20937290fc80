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
import ctypes, os, signal, time
import numpy as np
from frame_marker import FrameMarker
from ml_models.catalog import MLModelSpec, MLTask

def _spec(name):
    return MLModelSpec(name=name, task=MLTask.OBJECT_DETECTION, labels=("frame",), license="MIT",
        description="Makes trouble.", implementation="frame_marker_trouble:Trouble",
        floor_confidence=0.0, default_confidence=0.0)

def _number(frame):
    # The bar code that tests/samples.py paints into each frame.
    height, width = frame.shape[:2]
    bit, middle = max(width // 16, 1), max(height // 24, 0)
    return sum((frame[middle, index * bit + bit // 2].mean() > 127) << index for index in range(16))

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def crash_late(frame):
    if _number(frame) == 100:
        ctypes.string_at(0)

def raise_error():
    raise RuntimeError("the lens cap is on")

def sleep():
    time.sleep(3600)

def hang():
    ctypes.PyDLL(None).sleep(3600)  # unlike time.sleep, it keeps the interpreter to itself

def eat_in_pieces():
    eaten = []
    while len(eaten) < 1024:
        eaten.append(np.empty(64 * 2**20, dtype=np.uint8))
        eaten[-1][0] = 1  # all of it would take long where memory is slow to come

def eat_at_once():
    np.ones(64 * 2**30, dtype=np.uint8)

DEEDS = {"crashes": crash, "raises": raise_error, "sleeps": sleep, "hangs": hang,
    "eats-in-pieces": eat_in_pieces, "eats-at-once": eat_at_once}
SPECS = {name: _spec(name) for name in (*DEEDS, "crashes-late")}
globals().update({name.upper().replace("-", "_"): spec for name, spec in SPECS.items()})

class Trouble(FrameMarker):
    def _analyze(self, frames):
        if self.spec.name == "crashes-late":
            crash_late(frames[0])
        else:
            DEEDS[self.spec.name]()
        return super()._analyze(frames)
"""

TROUBLEMAKERS = (
    "crashes",
    "crashes-late",
    "raises",
    "sleeps",
    "hangs",
    "eats-in-pieces",
    "eats-at-once",
)
"""Models that fail: at once, at the frame whose bar code is 100, or never coming back."""

ENTRY_POINTS = "\n".join(
    [
        "[framewise.ml_models]",
        "frame-marker = frame_marker:SPEC",
        *(f"{name} = frame_marker_trouble:{name.upper().replace('-', '_')}" for name in TROUBLEMAKERS),
    ]
)


def install_plugin(directory: Path) -> None:
    """Put the package where Python finds it when `directory` is on its path."""
    info = directory / "frame_marker-1.0.dist-info"
    info.mkdir(parents=True)
    (directory / "frame_marker.py").write_text(MODULE)
    (directory / "frame_marker_trouble.py").write_text(TROUBLE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frame-marker\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
