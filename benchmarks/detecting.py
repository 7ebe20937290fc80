"""The detect stage alone: one analysis process, one slot, and what it finds."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.processes import run_together
from media.probe import probe
from media.segments import SegmentPlan, default_target_seconds, plan_segments
from ml_models.catalog import find_spec
from tasks.process.options import ProcessOptions
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message
from tasks.results.table import SegmentTable

_SCHEDULED = 2
"""Of Linux' clocks of a process: the time that it ran, user and system together."""

NICENESS = 10
"""Of analysis processes, and so of what they are compared with."""


@dataclass(frozen=True)
class Clip:
    """The part of a video to measure on.

    Args:
        path: The file.
        seconds: How much of it, from its start; None: all.
    """

    path: Path
    seconds: float | None = None

    def plans(self) -> tuple[list[SegmentPlan], str]:
        """Its segments, as the server cuts them, and its time base."""
        timeline = probe(self.path).timeline
        target = default_target_seconds(timeline.duration_seconds)
        plans = plan_segments(timeline, target_seconds=target, end_seconds=self.seconds)
        return plans, str(timeline.time_base)


@dataclass(frozen=True)
class Found:
    """What a run found, and how long it took."""

    seconds: float
    tables: list[SegmentTable] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def frames(self) -> int:
        """Frames that have detections or were seen to have none."""
        return sum(len(table.frame_index) for table in self.tables)

    @property
    def frames_skipped(self) -> int:
        """Frames that the model did not look at."""
        return sum(table.frames_skipped for table in self.tables)


@asynccontextmanager
async def analysis_process() -> AsyncIterator[AnalysisProcess]:
    """A warm process, as a worker has one for each slot."""
    options = ProcessOptions(
        memory_bytes=8 * 2**30,
        growth_bytes=2**30,
        max_jobs=1000,
        progress_interval_seconds=0.5,
        network=False,
        spares=0,
    )
    process = await AnalysisProcess.start(options)
    try:
        await process.request(Message("warm"))
        yield process
    finally:
        await process.kill()


async def detect(
    process: AnalysisProcess, clip: Clip, ml_model: str, weights: Path, options: Mapping[str, Any] | None
) -> Found:
    """Detect in each segment of a clip, one after the other."""
    plans, time_base = await asyncio.to_thread(clip.plans)
    started, cpu_before = time.perf_counter(), _cpu_seconds(process.pid)
    answers = []
    for plan in plans:
        request = {
            "source": str(clip.path),
            "plan": vars(plan),
            "time_base": time_base,
            "frame_stride": 1,
            "thread_count": 1,
            "ml_model": ml_model,
            "weights_dir": str(weights),
            "weights_mirror": str(weights),
            "min_confidence": find_spec(ml_model).default_confidence,
            "labels": None,
            "detection_options": None if options is None else dict(options),
        }
        answers.append(await process.request(Message("detect", request)))
    seconds = time.perf_counter() - started
    cpu_seconds = _cpu_seconds(process.pid) - cpu_before
    tables = [SegmentTable.from_parquet(answer.blobs[0]) for answer in answers]
    return Found(seconds, tables, cpu_seconds)


def _cpu_seconds(pid: int) -> float:
    """What all threads of a process have computed so far; Linux only.

    /proc tells it in hundredths of a second, too coarse for models that take three milliseconds a frame. The
    number of a process' own clock is made as in clock_getcpuclockid of the C library.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


def alone_seconds(clip: Clip, ml_model: str, weights: Path) -> float:
    """Time of the processor for decoding a clip and running the model on each frame, nothing around them."""
    (seconds,) = run_together(_alone, 1, str(clip.path), clip.seconds, ml_model, str(weights))
    return float(seconds)


def _alone(
    barrier: Barrier, results: Any, path: str, seconds: float | None, ml_model: str, weights: str
) -> None:
    import av
    import cv2
    import numpy as np

    from media.picture import PictureConverter
    from ml_models.factory import create_ml_model

    os.nice(NICENESS)
    cv2.setNumThreads(1)
    model = create_ml_model(ml_model, weights_dir=Path(weights), mirror=weights)
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 1
        converter = PictureConverter(stream.width, stream.height)
        model.analyze([np.zeros((stream.height, stream.width, 3), dtype=np.uint8)])
        barrier.wait()
        started = time.process_time()
        for frame in container.decode(stream):
            if seconds is not None and frame.time is not None and frame.time >= seconds:
                break
            model.analyze([converter.to_bgr(frame)])
    results.put(time.process_time() - started)
