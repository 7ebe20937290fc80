"""What is known of the face tracks of an analysis whose end has not come yet: no pixels, no embeddings.

Whatever is kept is the same, however the segments are split into pieces of work: the best candidates, the
places and the neighbours of a track are those of all its detections.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

CANDIDATES_PER_TRACK = 16
"""Frames of a track that are decoded, at most; the best of them are embedded."""
PLACES_PER_TRACK = 32
GRID_SECONDS = 0.5
"""Time between two places."""
CANDIDATE_SECONDS = 0.25
"""Each piece of so long gives one candidate at most."""
LEAST_FRAMES_BESIDE = 2
"""Frames in which two tracks are seen apart, before they are taken for two people."""

Box = tuple[float, float, float, float]


@dataclass(order=True)
class Candidate:
    """A detection that may show the face well; the better one is the larger, then the earlier."""

    promise: float
    minus_frame_index: int
    seconds: float = field(compare=False)
    box: Box = field(compare=False)
    landmarks: list[float] | None = field(compare=False)
    """x, y, x, y, …: five of them."""
    quality: float | None = field(default=None, compare=False)
    """Known once its frame was decoded."""

    @property
    def frame_index(self) -> int:
        """The frame it is in."""
        return -self.minus_frame_index

    @property
    def cell(self) -> int:
        """Which piece of time it lies in, of `CANDIDATE_SECONDS`."""
        return int(self.seconds // CANDIDATE_SECONDS)


@dataclass
class FaceTrack:
    """A track so far.

    `beside` counts, for each other track, the frames in which both are seen in different places.
    `places_step` is the number of cells of the grid from one place to the next, a power of two.
    `shown_seconds` is how long the track was when the register was last told of it; None: never.
    """

    track_id: int
    first_seconds: float
    last_seconds: float
    candidates: list[Candidate] = field(default_factory=list)
    """The best first."""
    places: dict[int, Box] = field(default_factory=dict)
    places_step: int = 1
    beside: dict[int, int] = field(default_factory=dict)
    shown_seconds: float | None = None

    @property
    def length_seconds(self) -> float:
        """From the first to the last detection."""
        return self.last_seconds - self.first_seconds

    def offer(self, candidate: Candidate) -> None:
        """Keep a candidate if it is the best of its cell, and among the best of the track."""
        rival = next((one for one in self.candidates if one.cell == candidate.cell), None)
        if rival is not None:
            if candidate <= rival:
                return
            self.candidates.remove(rival)
        self.candidates.append(candidate)
        self.candidates.sort(reverse=True)
        del self.candidates[CANDIDATES_PER_TRACK:]

    def see_at(self, cell: int, box: Box) -> None:
        """Note the first place in a cell of time; when there are too many, every other one goes."""
        if cell % self.places_step or cell in self.places:
            return
        self.places[cell] = box
        while len(self.places) > PLACES_PER_TRACK:
            self.places_step *= 2
            self.places = {at: place for at, place in self.places.items() if at % self.places_step == 0}

    def see_beside(self, track_id: int, frames: int) -> None:
        """Count frames in which another track is seen elsewhere."""
        self.beside[track_id] = self.beside.get(track_id, 0) + frames

    def sighted_places(self) -> list[tuple[float, float, float, float, float]]:
        """Time and corners of each place, in order of time."""
        return [(cell * GRID_SECONDS, *self.places[cell]) for cell in sorted(self.places)]

    def neighbours(self) -> list[int]:
        """The tracks that are seen beside it often enough."""
        return sorted(other for other, frames in self.beside.items() if frames >= LEAST_FRAMES_BESIDE)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        values = asdict(self)
        values["places"] = [[cell, *box] for cell, box in self.places.items()]
        values["beside"] = list(self.beside.items())
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The track that `to_json` wrote."""
        candidates = [Candidate(**{**one, "box": tuple(one["box"])}) for one in values["candidates"]]
        places = {cell: tuple(box) for cell, *box in values["places"]}
        return cls(**{**values, "candidates": candidates, "places": places, "beside": dict(values["beside"])})


class FaceTracks:
    """The tracks that may go on, and those that the segments at hand end.

    Args:
        tracks: Of the segments before.
    """

    def __init__(self, tracks: Iterable[FaceTrack] = ()) -> None:
        self.by_id = {track.track_id: track for track in tracks}

    def track(self, track_id: int, seconds: float) -> FaceTrack:
        """A track that is seen at a moment, which may be its first."""
        track = self.by_id.get(track_id)
        if track is None:
            track = self.by_id[track_id] = FaceTrack(track_id, seconds, seconds)
        track.last_seconds = max(track.last_seconds, seconds)
        return track
