"""Cutting a timeline into parts that can be decoded on their own."""

import bisect
from dataclasses import dataclass

import numpy as np

from media.timeline import Timeline, TimelineKind

SHORTEST_TARGET_SECONDS = 1.0
LONGEST_TARGET_SECONDS = 10.0
TARGET_SEGMENTS = 16
"""Enough parts that every core stays busy to the end of one video."""
FEW_SEGMENTS = 4
FINE_END_TARGETS = 3
"""So many targets before the end of a longer video it is cut twice as fine, for all cores to end together."""
HALVED_SECONDS = 1.0


@dataclass(frozen=True)
class SegmentPlan:
    """One part of a video; every field is JSON.

    Args:
        number: From 0, in order of time.
        seek_pts: Key frame to decode from, None for the start of the file. Frames before `start_pts` are
            decoded and dropped.
        start_pts: Time of the first frame.
        end_pts: Time of the first frame that no longer belongs, None for the end of the video.
        first_frame_index: Position of the first frame in the whole timeline.
        frame_count: Frames from `start_pts` to `end_pts`.
        width: Of every frame, in pixels as shown.
        height: Likewise.
        counted_step: See `Timeline.counted_step`.
        kind: Name of the timeline's `TimelineKind`.
    """

    number: int
    seek_pts: int | None
    start_pts: int
    end_pts: int | None
    first_frame_index: int
    frame_count: int
    width: int
    height: int
    counted_step: int | None
    kind: str


def default_target_seconds(duration_seconds: float) -> float:
    """A sixteenth of the video, from 1 s to 10 s."""
    return min(max(duration_seconds / TARGET_SEGMENTS, SHORTEST_TARGET_SECONDS), LONGEST_TARGET_SECONDS)


def plan_segments(
    timeline: Timeline,
    *,
    target_seconds: float,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> list[SegmentPlan]:
    """Cut `timeline` at key frames into segments of about `target_seconds`.

    Where fewer than four would result, segments longer than both a second and the target are halved at a
    frame between key frames: the second half decodes the first as its lead-in, which costs little beside
    what an idle core would lose.

    Args:
        timeline: Of the whole video.
        target_seconds: Aimed length; as long as the video gives one segment.
        start_seconds: Leave out frames before this time.
        end_seconds: Leave out frames at or after this time.
    """
    times = timeline.timestamps_seconds
    first = 0 if start_seconds is None else int(np.searchsorted(times, start_seconds, side="left"))
    last = len(times) if end_seconds is None else int(np.searchsorted(times, end_seconds, side="left"))
    if first >= last:
        return []
    cuts = [first]
    if timeline.kind is not TimelineKind.SEQUENTIAL:
        cuts = _cuts_at_key_frames(timeline, first, last, target_seconds)
        if len(cuts) < FEW_SEGMENTS:
            cuts = _halved(cuts, last, times, max(target_seconds, HALVED_SECONDS))
    return [
        _segment(timeline, number, start, end)
        for number, (start, end) in enumerate(zip(cuts, [*cuts[1:], last], strict=True))
    ]


def _cuts_at_key_frames(timeline: Timeline, first: int, last: int, target_seconds: float) -> list[int]:
    times = timeline.timestamps_seconds
    key_frames = [int(index) for index in np.flatnonzero(timeline.key_frame) if first < index < last]
    fine_end_seconds = FINE_END_TARGETS * target_seconds
    is_long = times[last - 1] - times[first] > fine_end_seconds
    cuts = [first]
    for position, index in enumerate(key_frames):
        is_near_end = is_long and times[last - 1] - times[cuts[-1]] <= fine_end_seconds
        target = target_seconds / 2 if is_near_end else target_seconds
        length = times[index] - times[cuts[-1]]
        following = key_frames[position + 1] if position + 1 < len(key_frames) else last - 1
        excess = times[following] - times[cuts[-1]] - target
        if length >= target or excess > target - length:
            cuts.append(index)
    return cuts


def _halved(cuts: list[int], last: int, times: np.ndarray, longer_than_seconds: float) -> list[int]:
    result = []
    for start, end in zip(cuts, [*cuts[1:], last], strict=True):
        result.append(start)
        if end - start > 1 and times[end - 1] - times[start] > longer_than_seconds:
            result.append((start + end) // 2)
    return result


def plan_frames(timeline: Timeline, start: int, end: int) -> SegmentPlan:
    """A part of its own from one frame up to another, which does not belong to it."""
    return _segment(timeline, 0, start, end)


def _segment(timeline: Timeline, number: int, start: int, end: int) -> SegmentPlan:
    key_frames = np.flatnonzero(timeline.key_frame)
    key_frame = int(key_frames[bisect.bisect_right(key_frames, start) - 1])
    return SegmentPlan(
        number=number,
        seek_pts=int(timeline.pts[key_frame]) if key_frame else None,
        start_pts=int(timeline.pts[start]),
        end_pts=int(timeline.pts[end]) if end < timeline.frame_count else None,
        first_frame_index=start,
        frame_count=end - start,
        width=timeline.width,
        height=timeline.height,
        counted_step=timeline.counted_step,
        kind=timeline.kind.value,
    )
