"""Join the detections of a segment to the tracks of the segments before it."""

import gc
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml_models.looking.cuts import GRID, Luma, is_cut, is_jump, sure_faces
from ml_models.tracking.base import NO_TRACK, TrackingParameters
from ml_models.tracking.label_tracker import LabelTracker
from tasks.counting.counter import TrackCounter
from tasks.counting.tables import count_table
from tasks.process.beginnings import take_beginnings
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.results.table import TRACKED_SCHEMA, SegmentTable

_GC_THRESHOLDS = (50_000, 20, 100)
"""Rarer than Python's own: tracking makes many small objects and no cycles, and is a tenth faster so."""


@dataclass
class _Track:
    """What is known of a track so far."""

    track_id: int
    label: str
    first_seconds: float
    last_seconds: float
    detection_count: int
    confidence_sum: float


def track_segment(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Number the detections of a segment, or of several that follow each other.

    The first blobs are the `SegmentTable` of each, `values["segments"]` in number, one by default; those
    after them, if there are any, are the tracker and the counter as the segment before left them, and
    `values["tracks"]` are the tracks so far and `values["edge"]` the brightness of the last frame, in
    hexadecimal, and whether a face changed before it. With `values["ends_at_cuts"]` tracks end at cuts (found
    in frames of `values["size"]`) and have the detection that began them, else they are what the tracker's
    library makes of the whole video. Trackers see every detection the model stores, since some keep a track
    alive by weak ones; the answer's blobs hold those that pass the threshold, segment by segment, then
    the tracker, and the counter where `values["counting"]` says what to count.
    """
    count = values.get("segments", 1)
    tables, states = blobs[:count], blobs[count:]
    parameters = TrackingParameters(**values["parameters"])
    with report.indivisible():  # this imports the tracker's library
        tracker = (
            LabelTracker.from_bytes(states[0])
            if states
            else LabelTracker(values["tracker"], parameters=parameters)
        )
    counter = _counter(values.get("counting"), states[1:])
    with _rare_collections():
        return _track(values, tables, tracker, counter, report)


def _counter(counting: dict[str, Any] | None, states: Sequence[bytes]) -> TrackCounter | None:
    if counting is None:
        return None
    counter = TrackCounter(counting["shapes"], counting["width"], counting["height"])
    return counter.restore(states[0]) if states else counter


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Only while tracking: models and decoders may well leave large cycles behind."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _track(
    values: dict[str, Any],
    tables: Sequence[bytes],
    tracker: LabelTracker,
    counter: TrackCounter | None,
    report: Report,
) -> Message:
    on_frame = report.counter("frames_tracked")
    tracks = {track["track_id"]: _Track(**track) for track in values["tracks"]}
    touched: dict[int, None] = {}
    answers = []
    frames_skipped = 0
    cuts: frozenset[int] = frozenset()
    edge = bytes.fromhex(values.get("edge", ""))
    for done, table in enumerate(tables, 1):
        stored = SegmentTable.from_parquet(table)
        if values.get("ends_at_cuts"):
            cuts, edge = _cuts(stored, edge, *values["size"])
        frames_skipped += stored.frames_skipped
        segment = stored.kept(0.0, values["labels"])
        ids = _track_ids(segment, tracker, cuts, on_frame)
        if values.get("ends_at_cuts"):
            take_beginnings(segment, ids, tracks, cuts, values["min_confidence"])
        tracked = _numbered(segment, ids).kept(values["min_confidence"], None)
        touched |= dict.fromkeys(_extend(tracks, tracked.detections))
        if counter is not None:
            count_table(counter, tracked)
            counter.keep(tracker.live_numbers().__contains__)
        answers.append(tracked.to_parquet())
        report({"segments_done": done})
    return Message(
        "result",
        {
            "tracks": [asdict(track) for track in tracks.values()],
            "live": sorted(tracker.live_numbers()),
            "edge": edge.hex(),
            "touched": list(touched),
            "frames_skipped": frames_skipped,
            "tracks_by_label": Counter(track.label for track in tracks.values()),
            "counted": None if counter is None else counter.totals(),
        },
        [*answers, tracker.to_bytes(), *([] if counter is None else [counter.to_bytes()])],
    )


def _cuts(segment: SegmentTable, edge: bytes, width: int, height: int) -> tuple[frozenset[int], bytes]:
    """The frames with which another shot begins, and the edge for the segment after it.

    Of frames in a row before each of which a face changed, only the first begins a shot.

    Args:
        segment: As it was detected.
        edge: The brightness of the frame before it, if there is one, and 1 if a face changed before that.
        width: Of frames, in pixels.
        height: Likewise.
    """
    cuts, jumps = set(segment.cuts.tolist()), set(segment.jumps.tolist())
    if not segment.edges:
        return frozenset(cuts), edge
    cells = GRID[0] * GRID[1]
    first, last = np.frombuffer(segment.edges, np.uint8).reshape(2, GRID[1], GRID[0])
    first_index = int(segment.frame_index[0])
    if len(edge) == cells + 1:
        before = np.frombuffer(edge[:cells], np.uint8).reshape(GRID[1], GRID[0])
        if is_cut(before, first):
            cuts.add(first_index)
        if _is_jump_to(segment, before, first, width, height):
            jumps.add(first_index)
    was_jump = edge[cells:] == b"\1"
    for index in segment.frame_index.tolist():
        is_jump_now = index in jumps
        if is_jump_now and not was_jump:
            cuts.add(index)
        was_jump = is_jump_now
    return frozenset(cuts), last.tobytes() + bytes([was_jump])


def _is_jump_to(segment: SegmentTable, before: Luma, first: Luma, width: int, height: int) -> bool:
    """Whether a face changed between the frame before a segment and its first frame."""
    table = segment.detections
    rows = table.filter(pc.equal(table["frame_index"], int(segment.frame_index[0])))
    boxes = np.stack([rows[name].to_numpy() for name in ("x1", "y1", "x2", "y2")], axis=1)
    return is_jump(before, first, sure_faces(boxes, rows["confidence"].to_numpy(), width, height))


def _numbered(segment: SegmentTable, ids: npt.NDArray[np.int64]) -> SegmentTable:
    table = segment.detections.append_column(
        TRACKED_SCHEMA.field("track_id"), pa.array(ids, pa.int32(), mask=ids == NO_TRACK)
    )
    return SegmentTable(table, segment.frame_index, segment.timestamp_seconds)


def _track_ids(
    segment: SegmentTable, tracker: LabelTracker, cuts: Container[int], on_frame: Callable[[], None]
) -> npt.NDArray[np.int64]:
    """The track of each detection, `NO_TRACK` for none; the tracker sees every frame, also empty ones."""
    table = segment.detections
    boxes = np.stack([table[name].to_numpy() for name in ("x1", "y1", "x2", "y2")], axis=1)
    confidences = table["confidence"].to_numpy()
    labels = np.array(table["label"].to_pylist(), dtype=object)
    frames = table["frame_index"].to_numpy()
    starts = np.searchsorted(frames, segment.frame_index, side="left")
    ends = np.searchsorted(frames, segment.frame_index, side="right")
    ids = np.full(len(table), NO_TRACK, dtype=np.int64)
    frame_numbers, times = segment.frame_index.tolist(), segment.timestamp_seconds.tolist()
    for index, start, end, timestamp_seconds in zip(frame_numbers, starts, ends, times, strict=True):
        if index in cuts:
            tracker.cut()
        frame = slice(start, end)
        ids[frame] = tracker.update_boxes(boxes[frame], confidences[frame], labels[frame], timestamp_seconds)
        on_frame()
    return ids


def _extend(tracks: dict[int, _Track], detections: pa.Table) -> list[int]:
    """Add these detections to their tracks; the ids of the tracks they belong to."""
    rows = detections.filter(pc.is_valid(detections["track_id"]))
    touched: dict[int, None] = {}
    columns = (rows[name].to_pylist() for name in ("track_id", "label", "timestamp_seconds", "confidence"))
    for track_id, label, seconds, confidence in zip(*columns, strict=True):
        track = tracks.get(track_id)
        if track is None:
            track = tracks[track_id] = _Track(track_id, label, seconds, seconds, 0, 0.0)
        track.last_seconds = seconds
        track.detection_count += 1
        track.confidence_sum += confidence
        touched[track_id] = None
    return list(touched)
