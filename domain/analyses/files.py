"""Where the files of an analysis lie in storage."""

from enum import StrEnum
from uuid import UUID

from domain.sql import StoredId


class ResultFormat(StrEnum):
    """The formats that results are written in."""

    JSON = "JSON"
    JSONL = "JSONL"
    CSV = "CSV"
    PARQUET = "PARQUET"
    MOT = "MOT"
    DETECTIONS_LIST = "DETECTIONS_LIST"
    COCO = "COCO"
    CVAT = "CVAT"


RESULT_FILES: dict[ResultFormat, tuple[str, str]] = {
    ResultFormat.JSON: ("result.json", "application/json"),
    ResultFormat.JSONL: ("result.jsonl", "application/jsonl"),
    ResultFormat.CSV: ("result.csv", "text/csv"),
    ResultFormat.PARQUET: ("result.parquet", "application/vnd.apache.parquet"),
    ResultFormat.MOT: ("result.mot.txt", "text/plain"),
    ResultFormat.DETECTIONS_LIST: ("result.detections.json", "application/json"),
    ResultFormat.COCO: ("result.coco.json", "application/json"),
    ResultFormat.CVAT: ("result.cvat.xml", "application/xml"),
}
"""File name and media type of each format."""

OVERLAY_FILE = "overlay.mp4"
CROPS_FILE = "crops.zip"


class PictureKind(StrEnum):
    """What a picture of a whole analysis shows."""

    HEAT_MAP = "HEAT_MAP"
    TIMELINE = "TIMELINE"
    TRAJECTORIES = "TRAJECTORIES"


PICTURE_FILES: dict[PictureKind, str] = {
    PictureKind.HEAT_MAP: "heat-map.png",
    PictureKind.TIMELINE: "timeline.png",
    PictureKind.TRAJECTORIES: "trajectories.png",
}
"""File name of each."""


def analysis_prefix(analysis_id: StoredId) -> str:
    """Every file of the analysis."""
    return f"analyses/{analysis_id}"


def result_key(analysis_id: UUID, result_format: ResultFormat) -> str:
    """The result in one format."""
    return f"{analysis_prefix(analysis_id)}/{RESULT_FILES[result_format][0]}"


def overlay_key(analysis_id: UUID) -> str:
    """The video with boxes drawn on it."""
    return f"{analysis_prefix(analysis_id)}/{OVERLAY_FILE}"


def crops_key(analysis_id: UUID) -> str:
    """The zip of the best pictures of each track."""
    return f"{analysis_prefix(analysis_id)}/{CROPS_FILE}"


def tracked_key(analysis_id: UUID, number: int) -> str:
    """Detections of one segment after threshold, label filter and tracker."""
    return f"{analysis_prefix(analysis_id)}/tracked/{number:06}.parquet"


def tracker_states_prefix(analysis_id: UUID) -> str:
    """The tracker between segments; not needed any more once all are tracked."""
    return f"{analysis_prefix(analysis_id)}/tracker"


def tracker_state_key(analysis_id: UUID, number: int) -> str:
    """The tracker as it stood after segment `number`."""
    return f"{tracker_states_prefix(analysis_id)}/{number:06}.state"


def picture_key(analysis_id: UUID, kind: PictureKind) -> str:
    """A picture of the whole analysis."""
    return f"{analysis_prefix(analysis_id)}/{PICTURE_FILES[kind]}"


def face_key(analysis_id: StoredId, track_id: int) -> str:
    """The best crop of a face: what shows an appearance."""
    return f"{faces_prefix(analysis_id)}/{track_id:06}.jpg"


def faces_prefix(analysis_id: StoredId) -> str:
    """The crops of all faces."""
    return f"{analysis_prefix(analysis_id)}/faces"


def identifier_states_prefix(analysis_id: UUID) -> str:
    """What is known of faces between segments; not needed any more once all are in the register."""
    return f"{analysis_prefix(analysis_id)}/identifier"


def identifier_state_key(analysis_id: UUID, number: int) -> str:
    """What is known of the faces whose tracks may go on, after segment `number`."""
    return f"{identifier_states_prefix(analysis_id)}/{number:06}.state"
