"""Single frames of a video, decoding only what they need."""

from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from media.frames import Frame, read_frames
from media.segments import plan_frames
from media.timeline import Timeline, TimelineKind


def read_chosen_frames(
    source: str | Path,
    frame_indices: Collection[int],
    timeline: Timeline,
    *,
    on_packet: Callable[[], None] | None = None,
    thread_count: int = 1,
) -> Iterator[Frame]:
    """The frames with these indices, each once, in order.

    Of each stretch between key frames, what lies between the first and the last of them is decoded, and what
    leads to them from the key frame.

    Raises:
        MediaError: If the video cannot be read, or gives other frames than its timeline.
    """
    wanted = sorted(set(frame_indices))
    key_frames = np.flatnonzero(timeline.key_frame)
    is_whole = timeline.kind is TimelineKind.SEQUENTIAL or timeline.counted_step is not None

    def stretch(index: int) -> int:
        return 0 if is_whole else int(np.searchsorted(key_frames, index, side="right"))

    for _, found in groupby(wanted, stretch):
        of_stretch = list(found)
        yield from read_frames(
            source,
            plan_frames(timeline, of_stretch[0], of_stretch[-1] + 1),
            timeline.time_base,
            thread_count=thread_count,
            on_packet=on_packet,
            wanted=frozenset(of_stretch).__contains__,
        )
