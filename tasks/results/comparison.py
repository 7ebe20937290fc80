"""Comparing what two runs found in the same video, window after window."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.results.matching import PAIRS_AT_ONCE, match_boxes
from tasks.results.table import SegmentTable

MATCH_IOU = 0.5
"""From this overlap on two boxes show the same thing, as in Pascal VOC and MOT."""

IOU_BINS = 10
SHARED_TRACK_PART = 0.5
_NO_TRACK = -1


@dataclass(frozen=True)
class LabelComparison:
    """What both runs found of one label, in the frames that both looked at."""

    label: str
    detections_a: int
    detections_b: int
    matched: int
    tracks_a: int
    tracks_b: int


@dataclass(frozen=True)
class TrackPair:
    """A track of each run that follow the same thing, and how many of their detections match."""

    track_id_a: int
    track_id_b: int
    detections: int


@dataclass(frozen=True)
class Comparison:
    """How much two runs agree, in the frames that both looked at.

    Args:
        frames: So many frames.
        labels: By label, in alphabetical order.
        matched: Pairs of detections of one label whose boxes overlap by at least `MATCH_IOU`.
        mean_iou: Of these; None if there are none.
        iou_histogram: Pairs by IoU in ten equal steps from 0 to 1; also pairs too far apart to match.
        matched_track_count: Tracks of both that follow the same thing.
        lost_track_count: Tracks of the first run without a partner.
        new_track_count: Tracks of the second run without a partner.
        tracks: Matched tracks, the longest first.
        lost_track_ids: Numbers of the lost ones, in order.
        new_track_ids: Numbers of the new ones, in order.
    """

    frames: int
    labels: tuple[LabelComparison, ...]
    matched: int
    mean_iou: float | None
    iou_histogram: tuple[int, ...]
    matched_track_count: int
    lost_track_count: int
    new_track_count: int
    tracks: tuple[TrackPair, ...]
    lost_track_ids: tuple[int, ...]
    new_track_ids: tuple[int, ...]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Comparison":
        """What `dataclasses.asdict` made of one, after a way through JSON."""
        lists = ("iou_histogram", "lost_track_ids", "new_track_ids")
        return cls(
            **{
                **values,
                **{name: tuple(values[name]) for name in lists},
                "labels": tuple(LabelComparison(**label) for label in values["labels"]),
                "tracks": tuple(TrackPair(**pair) for pair in values["tracks"]),
            }
        )

    @property
    def detections_a(self) -> int:
        """Of the first run."""
        return sum(label.detections_a for label in self.labels)

    @property
    def detections_b(self) -> int:
        """Of the second run."""
        return sum(label.detections_b for label in self.labels)

    @property
    def agreement(self) -> float:
        """The F1 score of one run's detections against the other's; 1 where neither found anything."""
        found = self.detections_a + self.detections_b
        return 2 * self.matched / found if found else 1.0


@dataclass(frozen=True)
class _Detections:
    """Arrays of equal length, in order of frames; `seen` are the frames that were looked at."""

    seen: npt.NDArray[np.int64]
    frames: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]

    def where(self, seen: npt.NDArray[np.bool_], rows: npt.NDArray[np.bool_]) -> "_Detections":
        """Some of the frames and some of the detections."""
        return _Detections(
            self.seen[seen], self.frames[rows], self.labels[rows], self.tracks[rows], self.boxes[rows]
        )

    def rows(self, rows: slice) -> "_Detections":
        """Some of the detections."""
        return _Detections(
            self.seen, self.frames[rows], self.labels[rows], self.tracks[rows], self.boxes[rows]
        )

    def of_frames(self, frames: npt.NDArray[np.int64]) -> "_Detections":
        """Only those in these frames."""
        return self.where(np.isin(self.seen, frames), np.isin(self.frames, frames))

    def split(self, last: int) -> tuple["_Detections", "_Detections"]:
        """Those up to a frame, and those after it."""
        seen, rows = self.seen <= last, self.frames <= last
        return self.where(seen, rows), self.where(~seen, ~rows)

    def joined(self, following: "_Detections") -> "_Detections":
        """These and those after them."""
        return _Detections(
            np.concatenate((self.seen, following.seen)),
            np.concatenate((self.frames, following.frames)),
            np.concatenate((self.labels, following.labels)),
            np.concatenate((self.tracks, following.tracks)),
            np.concatenate((self.boxes, following.boxes)),
        )


_NONE = np.empty(0, dtype=np.int64)
_NOTHING = _Detections(_NONE, _NONE, _NONE, _NONE, np.empty((0, 4)))


@dataclass
class _Run:
    """One of the two: what is read and not compared yet, and what was counted."""

    waiting: _Detections = _NOTHING
    is_complete: bool = False
    by_label: Counter[int] = field(default_factory=Counter)
    track_lengths: Counter[int] = field(default_factory=Counter)
    track_labels: dict[int, int] = field(default_factory=dict)

    @property
    def last_frame(self) -> int:
        return int(self.waiting.seen[-1]) if len(self.waiting.seen) else -1

    def count(self, found: _Detections) -> None:
        self.by_label.update(_counts(found.labels))
        is_tracked = found.tracks != _NO_TRACK
        self.track_lengths.update(_counts(found.tracks[is_tracked]))
        tracks, first = np.unique(found.tracks[is_tracked], return_index=True)
        labels = found.labels[is_tracked][first]
        for track, label in zip(tracks.tolist(), labels.tolist(), strict=True):
            self.track_labels.setdefault(track, label)


class Comparer:
    """Takes in the tables of two runs, in order of time each, and compares as soon as it has both.

    Its memory holds what one run is ahead of the other, so give it tables of the run that `behind` names.
    """

    def __init__(self) -> None:
        self._runs = (_Run(), _Run())
        self._label_numbers: dict[str, int] = {}
        self._frames = 0
        self._matched_by_label: Counter[int] = Counter()
        self._iou_sum = 0.0
        self._histogram = np.zeros(IOU_BINS, dtype=np.int64)
        self._shared: Counter[tuple[int, int]] = Counter()

    def behind(self) -> int | None:
        """The run, 0 or 1, to go on with; None when the rest has nothing to be compared with."""
        if any(run.is_complete and not len(run.waiting.seen) for run in self._runs):
            return None
        open_runs = [number for number, run in enumerate(self._runs) if not run.is_complete]
        return min(open_runs, key=lambda number: self._runs[number].last_frame, default=None)

    def add(self, run: int, table: SegmentTable | None) -> None:
        """The next table of a run; None after its last."""
        if table is None:
            self._runs[run].is_complete = True
        else:
            self._runs[run].waiting = self._runs[run].waiting.joined(self._arrays(table))
        ends = [one.last_frame for one in self._runs if not one.is_complete]
        last = min(ends) if ends else max(one.last_frame for one in self._runs)
        ready = []
        for one in self._runs:
            found, one.waiting = one.waiting.split(last)
            ready.append(found)
        self._compare(ready[0], ready[1])

    def _arrays(self, table: SegmentTable) -> _Detections:
        rows = table.detections
        numbers = self._label_numbers
        names = rows["label"].combine_chunks().dictionary_encode()
        number_of = [numbers.setdefault(label, len(numbers)) for label in names.dictionary.to_pylist()]
        labels = np.array(number_of, dtype=np.int64)[names.indices.to_numpy()]
        corners = [rows[name].to_numpy().astype(np.float64) for name in ("x1", "y1", "x2", "y2")]
        return _Detections(
            seen=table.frame_index,
            frames=rows["frame_index"].to_numpy(),
            labels=labels,
            tracks=rows["track_id"].combine_chunks().fill_null(_NO_TRACK).to_numpy().astype(np.int64),
            boxes=np.stack(corners, axis=1),
        )

    def _compare(self, first: _Detections, second: _Detections) -> None:
        common = np.intersect1d(first.seen, second.seen)
        self._frames += len(common)
        first, second = first.of_frames(common), second.of_frames(common)
        for run, found in zip(self._runs, (first, second), strict=True):
            run.count(found)
        for of_first, of_second in _portions(common, first.frames, second.frames):
            self._match(first.rows(of_first), second.rows(of_second))

    def _match(self, first: _Detections, second: _Detections) -> None:
        label_count = len(self._label_numbers)
        pairs = match_boxes(
            first.frames * label_count + first.labels,
            first.boxes,
            second.frames * label_count + second.labels,
            second.boxes,
        )
        bins = np.minimum((pairs.iou * IOU_BINS).astype(np.int64), IOU_BINS - 1)
        self._histogram += np.bincount(bins, minlength=IOU_BINS)
        is_match = pairs.iou >= MATCH_IOU
        a, b = pairs.first[is_match], pairs.second[is_match]
        self._iou_sum += float(pairs.iou[is_match].sum())
        self._matched_by_label.update(_counts(first.labels[a]))
        shared = zip(first.tracks[a].tolist(), second.tracks[b].tolist(), strict=True)
        self._shared.update(pair for pair in shared if _NO_TRACK not in pair)

    def result(self) -> Comparison:
        """After the last table."""
        first, second = self._runs
        matched = sum(self._matched_by_label.values())
        tracks = _track_pairs(self._shared, first.track_lengths, second.track_lengths)
        lost = _rest(first.track_lengths, (pair.track_id_a for pair in tracks))
        new = _rest(second.track_lengths, (pair.track_id_b for pair in tracks))
        return Comparison(
            frames=self._frames,
            labels=tuple(self._labels()),
            matched=matched,
            mean_iou=self._iou_sum / matched if matched else None,
            iou_histogram=tuple(self._histogram.tolist()),
            matched_track_count=len(tracks),
            lost_track_count=len(lost),
            new_track_count=len(new),
            tracks=tuple(tracks),
            lost_track_ids=lost,
            new_track_ids=new,
        )

    def _labels(self) -> Iterable[LabelComparison]:
        tracks = [Counter(run.track_labels.values()) for run in self._runs]
        for label, number in sorted(self._label_numbers.items()):
            found = [run.by_label[number] for run in self._runs]
            if any(found):
                yield LabelComparison(
                    label=label,
                    detections_a=found[0],
                    detections_b=found[1],
                    matched=self._matched_by_label[number],
                    tracks_a=tracks[0][number],
                    tracks_b=tracks[1][number],
                )


def _portions(
    common: npt.NDArray[np.int64], first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> Iterator[tuple[slice, slice]]:
    """Rows of both that are compared together: whole frames, with few pairs of boxes.

    Args:
        common: The frames, in order.
        first: (n,) the frame of each row, in order.
        second: (m,) likewise.
    """
    starts = [np.searchsorted(frames, common, side="left") for frames in (first, second)]
    ends = [np.searchsorted(frames, common, side="right") for frames in (first, second)]
    pairs = np.cumsum((ends[0] - starts[0]) * (ends[1] - starts[1]))
    begin = 0
    while begin < len(common):
        done = int(pairs[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(pairs, done + PAIRS_AT_ONCE, side="right")))
        yield (
            slice(int(starts[0][begin]), int(ends[0][end - 1])),
            slice(int(starts[1][begin]), int(ends[1][end - 1])),
        )
        begin = end


def _counts(values: npt.NDArray[np.int64]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _track_pairs(
    shared: Mapping[tuple[int, int], int], first: Mapping[int, int], second: Mapping[int, int]
) -> list[TrackPair]:
    """One partner at most for each track: who shares most, and at least half of the shorter of the two."""
    pairs = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for (a, b), count in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        is_free = a not in taken[0] and b not in taken[1]
        if is_free and count >= SHARED_TRACK_PART * min(first[a], second[b]):
            pairs.append(TrackPair(a, b, count))
            taken[0].add(a)
            taken[1].add(b)
    return pairs


def _rest(tracks: Mapping[int, int], taken: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(tracks.keys() - set(taken)))
