"""Which frames of a segment the model looks at, and what is taken for the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.looking.between import MOST_STEPS, Decided, LooksBetween
from ml_models.looking.motion import MotionGate
from ml_models.looking.region import Region

FAST = "FAST"
_HELD_BYTES = 256 * 2**20
"""What frames that wait to be decided may take."""
_BYTES_A_PIXEL = 3
"""At most, of the formats that decoders give."""


class Frame(Protocol):
    """What is needed of a frame, such as of `media.frames.DecodedFrame`."""

    index: int
    timestamp_seconds: float

    def image(self) -> NDArray[np.uint8]:
        """BGR uint8 (height, width, 3)."""
        ...

    def luma(self, width: int, height: int, /) -> NDArray[np.uint8]:
        """Its brightness, uint8 (height, width), averaged down to that size."""
        ...


@dataclass(frozen=True, eq=False)
class FrameDetections:
    """What is in a frame; `is_looked_at` says whether the model saw it."""

    frame_index: int
    timestamp_seconds: float
    detections: sv.Detections
    is_looked_at: bool


@dataclass(frozen=True, eq=False)
class _Scene:
    """A frame, and index and time of the still ones after it, which show the same."""

    frame: Frame
    still: list[tuple[int, float]] = field(default_factory=list)


class Looks:
    """Goes through the frames of a segment, and gives each with its detections, in order.

    EXACT looks at every frame. With motion gating a still frame has the detections of the frame before it.
    FAST looks at only some of the frames (`LooksBetween`), with motion gating of those in which something
    moves; it gates unless told not to.
    Each segment begins anew, so that its detections depend on nothing but itself.

    Args:
        look: Detects in a frame.
        options: Stored `DetectionOptions`.
        size: Width and height of the frames.
        region: Where motion counts; None: everywhere.
        sure_confidence: Of `LooksBetween`.
    """

    def __init__(
        self,
        look: Callable[[Frame], sv.Detections],
        options: Mapping[str, Any],
        size: tuple[int, int],
        region: Region | None,
        sure_confidence: float,
    ) -> None:
        self._look = look
        self._is_fast = options.get("mode") == FAST
        is_gated = options.get("motion_gating", self._is_fast)
        self._gate = MotionGate(*size, region) if is_gated else None
        most_held = _HELD_BYTES // (size[0] * size[1] * _BYTES_A_PIXEL)
        self._most_steps = max(1, min(MOST_STEPS, most_held))
        self._sure_confidence = sure_confidence

    def __call__(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        """Every frame with its detections."""
        scenes = self._scenes(frames)
        for decided in self._sparsely(scenes) if self._is_fast else self._each(scenes):
            frame, detections = decided.picture.frame, decided.detections
            yield FrameDetections(frame.index, frame.timestamp_seconds, detections, decided.is_looked_at)
            for index, timestamp_seconds in decided.picture.still:
                yield FrameDetections(index, timestamp_seconds, detections, is_looked_at=False)

    def _scenes(self, frames: Iterable[Frame]) -> Iterator[_Scene]:
        if self._gate is None:
            yield from map(_Scene, frames)
            return
        scene: _Scene | None = None
        for frame in frames:
            is_still = self._gate.is_still(frame.luma(*self._gate.size))
            if scene is not None and is_still:
                scene.still.append((frame.index, frame.timestamp_seconds))
                continue
            if scene is not None:
                yield scene
            scene = _Scene(frame)
        if scene is not None:
            yield scene

    def _each(self, scenes: Iterable[_Scene]) -> Iterator[Decided[_Scene]]:
        for scene in scenes:
            yield Decided(scene, self._look(scene.frame), is_looked_at=True)

    def _sparsely(self, scenes: Iterable[_Scene]) -> Iterator[Decided[_Scene]]:
        looks = LooksBetween[_Scene](
            lambda scene: self._look(scene.frame), self._sure_confidence, self._most_steps
        )
        for scene in scenes:
            yield from looks.add(scene)
        yield from looks.finish()
