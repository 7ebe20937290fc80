"""Which detections of a track are worth a picture."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from media.crops import Crop
from tasks.results.table import SegmentTable
from tasks.results.writers.base import rows

CROPS_PER_TRACK = 3

_LEAST_SECONDS = 1.0
"""Between two pictures of a track."""
_ROUNDING_SECONDS = 1e-6
_EDGE_PIXELS = 1.0
_UNSAFE = re.compile(r"[^\w\-]+")


@dataclass(frozen=True, order=True)
class _Candidate:
    """Ordered by how good it is: whole rather than cut off, then larger and more certain, then earlier."""

    is_whole: bool
    score: float
    minus_frame_index: int
    timestamp_seconds: float = field(compare=False)
    corners: tuple[float, float, float, float] = field(compare=False)


_Choices = tuple[tuple[_Candidate, ...], ...]
"""The best choice of no candidate, of at most one, of at most two, and so on; the best one of each first."""


@dataclass
class _Best:
    """The best candidates of a track, of each second of the video at most one, at least a second apart."""

    label: str
    second: int
    candidate: _Candidate
    choices: _Choices = ((),) * (CROPS_PER_TRACK + 1)
    earlier: _Choices = ((),) * (CROPS_PER_TRACK + 1)
    """The choices before the last candidate: what is in them is a second away from whatever comes next."""
    last: _Candidate | None = None

    def offer(self, second: int, candidate: _Candidate) -> None:
        """Take in the next detection of the track."""
        if second == self.second:
            self.candidate = max(self.candidate, candidate)
            return
        self._keep()
        self.second, self.candidate = second, candidate

    def chosen(self) -> tuple[_Candidate, ...]:
        """After the last detection: the best one, then the best of those far enough from it, and so on."""
        self._keep()
        return self.choices[-1]

    def _keep(self) -> None:
        candidate, last = self.candidate, self.last
        is_near = last is not None and _is_near(last, candidate)
        before = self.earlier if is_near else self.choices
        longer = (tuple(sorted((*choice, candidate), reverse=True)) for choice in before[:-1])
        taken = tuple(max(pair) for pair in zip(self.choices[1:], longer, strict=True))
        self.earlier, self.choices, self.last = self.choices, ((), *taken), candidate


def _is_near(first: _Candidate, second: _Candidate) -> bool:
    return second.timestamp_seconds - first.timestamp_seconds < _LEAST_SECONDS - _ROUNDING_SECONDS


def best_crops(tables: Iterable[SegmentTable], video: Mapping[str, Any]) -> Iterator[Crop]:
    """The best crops of each track, at most three, at least a second apart.

    A box that lies wholly inside the frame is better than one that touches its edge. Among equals, the one
    with the higher product of confidence and visible area is, and then the earlier one.
    """
    width, height = float(video["width"]), float(video["height"])
    tracks: dict[int, _Best] = {}
    for table in tables:
        names = ("frame_index", "timestamp_seconds", "label", "confidence", "x1", "y1", "x2", "y2")
        for frame_index, seconds, label, confidence, *corners, track_id in rows(
            table.detections, *names, "track_id"
        ):
            if track_id is None:
                continue
            x1, y1, x2, y2 = corners
            visible = max(0.0, min(x2, width) - max(x1, 0.0)) * max(0.0, min(y2, height) - max(y1, 0.0))
            is_whole = min(x1, y1, width - x2, height - y2) >= _EDGE_PIXELS
            candidate = _Candidate(is_whole, confidence * visible, -frame_index, seconds, (x1, y1, x2, y2))
            track = tracks.get(track_id)
            if track is None:
                tracks[track_id] = _Best(label, int(seconds), candidate)
            else:
                track.offer(int(seconds), candidate)
    for track_id, track in tracks.items():
        for candidate in track.chosen():
            yield _crop(track_id, track.label, candidate)


def _crop(track_id: int, label: str, candidate: _Candidate) -> Crop:
    frame_index = -candidate.minus_frame_index
    folder = _UNSAFE.sub("_", label).strip("_") or "unnamed"
    name = f"track_{track_id:06}_frame_{frame_index:06}_{candidate.timestamp_seconds:.3f}s.jpg"
    return Crop(frame_index, candidate.corners, f"{folder}/{name}")
