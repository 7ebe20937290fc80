"""Decode a segment, run the model on its frames, give the detections."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import supervision as sv

from media.frames import DecodedFrame, decode_frames
from media.masks import RleMask
from media.segments import SegmentPlan
from ml_models.base import MASK_RUNS
from ml_models.looking.between import SURE_SHARE
from ml_models.looking.cuts import GRID, CutFinder, sure_faces
from tasks.process.look import look_at, region_of
from tasks.process.looks import Frame, FrameDetections, Looks
from tasks.process.models import LoadedModel, loaded_model
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
    plan = SegmentPlan(**values["plan"])
    builder = SegmentTableBuilder()
    counts: Counter[str] = Counter()
    frames_done = 0
    frames = decode_frames(
        values["source"],
        plan,
        Fraction(values["time_base"]),
        frame_stride=values["frame_stride"],
        thread_count=values["thread_count"],
        on_packet=report.counter("packets_read"),
    )
    looks = _looks(model, values, plan, report)
    cuts = CutFinder()
    with contextlib.closing(frames):
        for found in looks(_looked_through(frames, cuts) if model.finds_faces else frames):
            labels, confidences = _add(builder, found, (plan.width, plan.height))
            cuts.see(
                found.frame_index, sure_faces(found.detections.xyxy, confidences, plan.width, plan.height)
            )
            counts.update(
                label
                for label, confidence in zip(labels, confidences, strict=True)
                if confidence >= min_confidence and (wanted is None or label in wanted)
            )
            frames_done += 1
            report({"frames_done": frames_done, "counts": counts})
    table = builder.build(cuts.frame_indices, cuts.edges, cuts.jumps)
    return Message("result", {"frames_done": frames_done, "counts": counts}, [table.to_parquet()])


def _looked_through(frames: Iterable[DecodedFrame], cuts: CutFinder) -> Iterator[DecodedFrame]:
    for frame in frames:
        cuts.add(frame.index, frame.luma(*GRID))
        yield frame


def _looks(model: LoadedModel, values: dict[str, Any], plan: SegmentPlan, report: Report) -> Looks:
    options = values.get("detection_options") or {}
    region = region_of(options, plan.width, plan.height)
    look = look_at(lambda image: model.analyze(image, report), options, region)

    def look_at_frame(frame: Frame) -> sv.Detections:
        return look(frame.image())

    return Looks(
        look_at_frame,
        options,
        (plan.width, plan.height),
        region,
        sure_confidence=SURE_SHARE * model.default_confidence,
    )


def _add(
    builder: SegmentTableBuilder, found: FrameDetections, size: tuple[int, int]
) -> tuple[list[str], "np.typing.NDArray[np.float32]"]:
    """Put a frame into the table; its labels and confidences."""
    detections = found.detections
    labels = [str(name) for name in detections.data["class_name"]] if len(detections) else []
    confidences = _confidences(detections)
    builder.add(
        found.frame_index,
        found.timestamp_seconds,
        detections.xyxy,
        confidences,
        labels,
        detections.data.get("landmarks"),
        detections.data.get("embedding"),
        masks=_masks(detections, size),
        landmark_scores=detections.data.get("landmark_scores"),
        is_looked_at=found.is_looked_at,
    )
    return labels, confidences


def _masks(detections: sv.Detections, size: tuple[int, int]) -> list[RleMask] | None:
    runs = detections.data.get(MASK_RUNS)
    return None if runs is None else [one.to_rle(*size) for one in runs]


def _confidences(detections: sv.Detections) -> "np.typing.NDArray[np.float32]":
    if detections.confidence is None:
        return np.ones(len(detections), dtype=np.float32)
    return np.asarray(detections.confidence, dtype=np.float32)
