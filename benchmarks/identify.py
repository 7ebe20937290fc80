"""What it costs to describe the faces of a video, beside finding them: CPU time of the same process.

Run as `python -m benchmarks.identify`.
"""

import io
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.arguments import new_parser
from media.segments import default_target_seconds, plan_segments
from media.timeline import scan_timeline
from ml_models.catalog import find_spec
from tasks.process.detect import detect_segment
from tasks.process.identify import identify
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.process.stop import Stopper
from tasks.process.track import track_segment

CLIP = "short_hamilton_clip.mp4"
DETECTOR, EMBEDDER = "yunet-2026may", "mobilefacenet"
THRESHOLD = 0.6
_NEVER_SECONDS = 1e9


@dataclass
class Cost:
    """CPU seconds of each stage, and how much was looked at."""

    detect_seconds: float
    track_seconds: float
    identify_seconds: float
    frames: int
    faces: int
    frames_decoded: int
    faces_embedded: int


def measure(clip: Path, weights_dir: Path) -> Cost:
    """Find, follow and describe the faces of a clip in this process, with one thread."""
    report = _report()
    timeline = scan_timeline(clip)
    target = default_target_seconds(timeline.duration_seconds)
    plans = plan_segments(timeline, target_seconds=target)
    common = {"weights_dir": str(weights_dir), "weights_mirror": None, "thread_count": 1, "source": str(clip)}

    def detect(plan: Any) -> bytes:
        values = {
            "plan": asdict(plan),
            "time_base": str(timeline.time_base),
            "frame_stride": 1,
            "ml_model": DETECTOR,
            "ml_model_spec": None,
            "min_confidence": THRESHOLD,
            "labels": None,
            "detection_options": None,
        }
        return detect_segment({**common, **values}, [], report).blobs[0]

    detect(plans[0])  # loads the model
    started = time.process_time()
    found = [detect(plan) for plan in plans]
    detected = time.process_time()
    tracked = _track(found, timeline.frame_count / timeline.duration_seconds, report)
    followed = time.process_time()
    spec = find_spec(EMBEDDER)
    values: dict[str, Any] = {
        "tracks": [],
        "live": None,
        "is_last": True,
        "min_pixels": 32,
        "needs_landmarks": spec.needs_landmarks,
        "like_similarity": spec.same_similarity,
        "ml_model": EMBEDDER,
    }
    blobs = [timeline.to_bytes(), *tracked.blobs[: len(plans)]]
    identify({**common, **values}, blobs, report)  # loads the model
    before = time.process_time()
    answer = identify({**common, **values}, blobs, report)
    return Cost(
        detect_seconds=detected - started,
        track_seconds=followed - detected,
        identify_seconds=time.process_time() - before,
        frames=timeline.frame_count,
        faces=sum(track["detection_count"] for track in tracked.values["tracks"]),
        frames_decoded=answer.values["frames_decoded"],
        faces_embedded=answer.values["faces_embedded"],
    )


def _report() -> Report:
    descriptor, _ = os.pipe()
    return Report(io.BytesIO(), _NEVER_SECONDS, Stopper(descriptor))


def _track(found: list[bytes], frames_per_second: float, report: Report) -> Message:
    values = {
        "tracker": "BYTE_TRACK",
        "parameters": {"min_confidence": THRESHOLD, "frames_per_second": frames_per_second},
        "min_confidence": THRESHOLD,
        "labels": None,
        "tracks": [],
        "segments": len(found),
    }
    return track_segment(values, found, report)


def print_cost(clip: Path, weights_dir: Path) -> None:
    """Measure and print."""
    cost = measure(clip, weights_dir)
    print(
        f"\nFaces of {clip.name} ({cost.frames} frames, {cost.faces} tracked faces), CPU seconds, one thread"
    )
    print(f"  {'find (' + DETECTOR + ')':<34} {cost.detect_seconds:7.2f} s")
    print(f"  {'follow (BYTE_TRACK)':<34} {cost.track_seconds:7.2f} s")
    print(
        f"  {'describe (' + EMBEDDER + ')':<34} {cost.identify_seconds:7.2f} s   "
        f"{cost.identify_seconds / cost.detect_seconds:6.1%} of finding them"
    )
    print(
        f"  {cost.frames_decoded} frames decoded again, {cost.faces_embedded} faces embedded: "
        f"{cost.faces_embedded / cost.faces:.1%} of the faces"
    )


def main() -> int:
    """Measure on a clip of real people."""
    parser = new_parser("python -m benchmarks.identify", __doc__)
    options = parser.parse_args()
    print_cost(options.media / CLIP, options.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
