"""How long a piece of work may take."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from settings import Settings

_MIB = 2**20
_PROBE_SECONDS_PER_MIB = 10.0
_DECODED_SHARE = 0.1
_COPIED_BYTES_PER_SECOND = 10 * _MIB
"""A disk slower than this is not reckoned with."""


@dataclass(frozen=True)
class TimeLimit:
    """Limits of one request.

    Args:
        total_seconds: Most time from request to answer.
        stall_seconds: Most time without progress.
    """

    total_seconds: float
    stall_seconds: float

    def passed(self, running_seconds: float, stalled_seconds: float) -> str | None:
        """What limit a job has passed, as the end of a sentence; None if it keeps to them."""
        if running_seconds > self.total_seconds:
            return f"timed out after {self.total_seconds:.10g} s"
        if stalled_seconds > self.stall_seconds:
            return f"timed out after {self.stall_seconds:.10g} s without progress"
        return None


def time_limit(settings: Settings, frames: int) -> TimeLimit:
    """For work on so many frames, whether they are decoded, analysed or tracked."""
    total_seconds = settings.base_time_limit_seconds + frames * settings.frame_time_limit_seconds
    return TimeLimit(total_seconds, settings.stall_seconds)


def segment_time_limit(settings: Settings, plan: Mapping[str, Any], frames: int) -> TimeLimit:
    """For detecting in so many frames of a segment.

    Frames that are only decoded count a tenth: those that the stride leaves out, and those before the
    segment, at worst all from the start of the video.
    """
    decoded = plan["first_frame_index"] + plan["frame_count"]
    return time_limit(settings, frames + math.ceil(decoded * _DECODED_SHARE))


def probe_time_limit(settings: Settings, size_bytes: int) -> TimeLimit:
    """For finding out what a file of this size is."""
    total_seconds = settings.base_time_limit_seconds + size_bytes / _MIB * _PROBE_SECONDS_PER_MIB
    return TimeLimit(total_seconds, settings.stall_seconds)


def summary_time_limit(settings: Settings, frames: int, size_bytes: int) -> TimeLimit:
    """For the results of so many frames of a video of this size.

    An overlay video is copied once more when it is complete, and nothing tells how far that is.
    """
    limit = time_limit(settings, frames)
    copy_seconds = size_bytes / _COPIED_BYTES_PER_SECOND
    return TimeLimit(limit.total_seconds + copy_seconds, limit.stall_seconds + copy_seconds)
