"""Videos that open but are damaged inside: what is read of them is in order, or is counted anew."""

import random
from pathlib import Path

import pytest

from media.errors import TimelineMismatchError
from media.frames import read_frames
from media.probe import probe
from media.segments import plan_segments
from media.timeline import Timeline, TimelineKind, scan_timeline


def damage(content: bytes, seed: int) -> bytes:
    """Some bits flipped in what is pictures."""
    rng = random.Random(seed)
    broken = bytearray(content)
    for _ in range(rng.randint(20, 2000)):
        broken[rng.randrange(len(content) // 5, len(content) * 4 // 5)] ^= 1 << rng.randrange(8)
    return bytes(broken)


def frame_times(path: Path, timeline: Timeline) -> list[int]:
    plans = plan_segments(timeline, target_seconds=1.0)
    return [frame.pts for plan in plans for frame in read_frames(path, plan, timeline.time_base)]


@pytest.mark.parametrize("seed", [0, 1, 2, 245, 284])
def test_times_of_a_damaged_video_ascend_or_it_is_counted_anew(media_dir, tmp_path, seed):
    """Decoders may give frames of a damaged stream in another order, as many as were promised."""
    path = tmp_path / "damaged.mp4"
    path.write_bytes(damage((media_dir / "nasa_13013.mp4").read_bytes(), seed))
    timeline = probe(path).timeline
    try:
        times = frame_times(path, timeline)
    except TimelineMismatchError:
        timeline = scan_timeline(path, TimelineKind.FRAMES)
        try:
            times = frame_times(path, timeline)
        except TimelineMismatchError:
            timeline = scan_timeline(path, TimelineKind.SEQUENTIAL)
            times = frame_times(path, timeline)
    assert times == sorted(times)
    assert times == timeline.pts.tolist()
    assert len(times) > 200
