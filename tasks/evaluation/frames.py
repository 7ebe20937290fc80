"""The frames of a labelled sequence, looked at as an analysis looks at them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from media.frames import decode_frames
from media.segments import default_target_seconds, plan_segments
from media.timeline import scan_timeline
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.sequences import LabelledSequence, Pictures
from tasks.process.look import look_at, region_of
from tasks.process.looks import FAST, Frame, FrameDetections, Looks

_Image = npt.NDArray[np.uint8]
_DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class Looking:
    """How frames are looked at.

    Args:
        detection_options: Stored `DetectionOptions`.
        frame_stride: Look at the frames whose index is a multiple of it; at all pictures that are no video.
        sure_confidence: Of `Looks`.
        thread_count: Threads that decode.
    """

    detection_options: Mapping[str, Any]
    frame_stride: int
    sure_confidence: float
    thread_count: int

    @property
    def takes_each_frame_alone(self) -> bool:
        """Whether what is found in a frame depends on no other."""
        options = self.detection_options
        return options.get("mode") != FAST and not options.get("motion_gating")


@dataclass(frozen=True)
class LookedAt:
    """A sequence that is being looked at.

    Args:
        frame_count: How many frames it has.
        frame_stride: That of the frames looked at.
        frames_per_second: How many of those come in a second.
        size_of: Gives width and height of a frame by its index, once it was looked at.
        frames: Those, in order, with what is found in each.
    """

    frame_count: int
    frame_stride: int
    frames_per_second: float
    size_of: Callable[[int], tuple[int, int]]
    frames: Iterator[FrameDetections]


def look_through(
    sequence: LabelledSequence,
    analyze: Callable[[_Image], sv.Detections],
    looking: Looking,
    only: Collection[int] | None = None,
) -> LookedAt:
    """Look at the frames of a video segment by segment, as the server cuts it, or at pictures.

    Args:
        sequence: A video or pictures.
        analyze: Detects in an image.
        looking: See there.
        only: Leave out other frames, if each is taken alone; None: none.

    Raises:
        MediaError: The video cannot be read.
        GroundTruthError: A picture cannot.
    """
    if isinstance(sequence.source, Pictures):
        return _look_through_pictures(sequence.source, analyze, looking)
    if not looking.takes_each_frame_alone:
        only = None
    path: Path = sequence.source
    timeline = scan_timeline(path, thread_count=looking.thread_count)
    seconds = timeline.duration_seconds
    rate = timeline.frame_count / seconds if seconds > 0 else _DEFAULT_FPS

    def frames() -> Iterator[FrameDetections]:
        for plan in plan_segments(timeline, target_seconds=default_target_seconds(seconds)):
            decoded = decode_frames(
                path,
                plan,
                Fraction(timeline.time_base),
                frame_stride=looking.frame_stride,
                thread_count=looking.thread_count,
                wanted=None if only is None else only.__contains__,
            )
            yield from _look(decoded, (plan.width, plan.height), analyze, looking)

    stride = looking.frame_stride
    size = timeline.width, timeline.height
    return LookedAt(timeline.frame_count, stride, rate / stride, lambda _: size, frames())


def _look(
    frames: Iterable[Frame],
    size: tuple[int, int],
    analyze: Callable[[_Image], sv.Detections],
    looking: Looking,
) -> Iterator[FrameDetections]:
    options = looking.detection_options
    region = region_of(options, *size)
    look = look_at(analyze, options, region)
    return Looks(lambda frame: look(frame.image()), options, size, region, looking.sure_confidence)(frames)


class _Picture:
    """A frame that lies in a file of its own."""

    def __init__(self, index: int, timestamp_seconds: float, image: _Image) -> None:
        self.index = index
        self.timestamp_seconds = timestamp_seconds
        self._image = image

    def image(self) -> _Image:
        return self._image

    def luma(self, width: int, height: int) -> _Image:
        grey = cv2.cvtColor(self._image, cv2.COLOR_BGR2GRAY)
        return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _look_through_pictures(
    source: Pictures, analyze: Callable[[_Image], sv.Detections], looking: Looking
) -> LookedAt:
    count, stride = len(source.paths), looking.frame_stride if source.is_video else 1
    pictures = (
        _Picture(index, index / source.frames_per_second, _read(source.paths[index]))
        for index in range(0, count, stride)
    )
    sizes: dict[int, tuple[int, int]] = {}
    if not looking.takes_each_frame_alone and source.is_video and count:
        size = _size(_read(source.paths[0]))
        frames = _look(pictures, size, analyze, looking)
        return LookedAt(count, stride, source.frames_per_second / stride, lambda _: size, frames)
    alone = replace(looking, detection_options=_without_neighbours(looking.detection_options))

    def each() -> Iterator[FrameDetections]:
        for picture in pictures:
            sizes[picture.index] = _size(picture.image())
            yield from _look([picture], sizes[picture.index], analyze, alone)

    return LookedAt(count, stride, source.frames_per_second / stride, sizes.__getitem__, each())


def _size(image: _Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _without_neighbours(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that concern a frame by itself."""
    return {name: value for name, value in options.items() if name not in ("mode", "motion_gating")}


def _read(path: Path) -> _Image:
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise GroundTruthError(f"{path} is no picture that can be read.")
    return image.astype(np.uint8, copy=False)
