"""What computing alone costs: the very model, decoder and frames, without anything around them."""

import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.processes import run_together


def compute_rate(clip: Path, weights: Path, processes: int) -> float:
    """Frames a second of reading frames and finding faces in them, in bare processes that share the clip."""
    measured = run_together(_compute, processes, str(clip), str(weights))
    return float(sum(frames for frames, _ in measured) / max(seconds for _, seconds in measured))


def _compute(barrier: Barrier, results: Any, clip: str, weights: str) -> None:
    from media.frames import read_frames
    from media.probe import probe
    from media.segments import plan_segments
    from ml_models.factory import create_ml_model

    timeline = probe(clip).timeline
    (segment,) = plan_segments(timeline, target_seconds=1e9)[:1]
    model = create_ml_model("yunet-2026may", weights_dir=Path(weights), mirror=weights)
    frames = read_frames(clip, segment, timeline.time_base)
    model.analyze([next(frames).image])
    barrier.wait()
    started = time.perf_counter()
    count = 0
    for frame in frames:
        model.analyze([frame.image])
        count += 1
    results.put((count, time.perf_counter() - started))
