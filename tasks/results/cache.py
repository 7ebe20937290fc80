"""Where detections of a segment are kept, so that nobody computes them twice."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from domain.videos.files import detections_prefix

_FORMAT = 3
"""Raise it when stored detections change their form or decoding changes pixels."""


def detections_key(
    sha256: str,
    plan: Mapping[str, Any],
    frame_stride: int,
    ml_model_fingerprint: str,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The storage key of a segment's detections: equal for whatever gives equal detections.

    `options` are the stored `DetectionOptions`.
    """
    parts: dict[str, Any] = {
        "format": _FORMAT,
        "bounds": [plan["start_pts"], plan["end_pts"], plan["first_frame_index"], plan["frame_count"]],
        "frame_stride": frame_stride,
        "ml_model": ml_model_fingerprint,
    }
    if options is not None:
        parts["options"] = options
    digest = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{detections_prefix(sha256)}/{digest[:32]}.parquet"
