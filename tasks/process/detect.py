"""Decode a segment, run the model on its frames, give the detections."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import supervision as sv

from media.frames import read_frames
from media.segments import SegmentPlan
from tasks.process.models import loaded_model
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.results.table import SegmentTableBuilder

cv2.setNumThreads(1)


def detect_segment(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Detect in every frame of a segment that the stride keeps.

    Progress tells frames done and detections by label that pass the analysis' threshold and label filter;
    the answer's blob is a `SegmentTable` with all detections, whatever the threshold.
    """
    model = loaded_model(values, report)
    min_confidence = np.float32(values["min_confidence"])
    wanted = None if values["labels"] is None else frozenset(values["labels"])
    builder = SegmentTableBuilder()
    counts: Counter[str] = Counter()
    frames_done = 0
    frames = read_frames(
        values["source"],
        SegmentPlan(**values["plan"]),
        Fraction(values["time_base"]),
        frame_stride=values["frame_stride"],
        thread_count=values["thread_count"],
        on_packet=report.counter("packets_read"),
    )
    with contextlib.closing(frames):
        for frame in frames:
            detections = model.analyze(frame.image, report)
            labels = [str(name) for name in detections.data["class_name"]] if len(detections) else []
            confidences = _confidences(detections)
            builder.add(
                frame.index,
                frame.timestamp_seconds,
                detections.xyxy,
                confidences,
                labels,
                detections.data.get("landmarks"),
                detections.data.get("embedding"),
            )
            counts.update(
                label
                for label, confidence in zip(labels, confidences, strict=True)
                if confidence >= min_confidence and (wanted is None or label in wanted)
            )
            frames_done += 1
            report({"frames_done": frames_done, "counts": counts})
    return Message("result", {"frames_done": frames_done, "counts": counts}, [builder.build().to_parquet()])


def _confidences(detections: sv.Detections) -> "np.typing.NDArray[np.float32]":
    if detections.confidence is None:
        return np.ones(len(detections), dtype=np.float32)
    return np.asarray(detections.confidence, dtype=np.float32)
