"""Result files: one writer a format, each streaming segment after segment.

A result is a function of the video and the settings alone: it names no ids and no times of the run, so the
same analysis gives the same bytes wherever and however it ran.
"""

from tasks.results.writers.base import Tables, Writer
from tasks.results.writers.coco import write_coco
from tasks.results.writers.cvat import write_cvat
from tasks.results.writers.detections_list import write_detections_list
from tasks.results.writers.json_documents import JSON_FORMAT, write_json, write_jsonl
from tasks.results.writers.tables import write_csv, write_mot, write_parquet

__all__ = [
    "JSON_FORMAT",
    "WRITERS",
    "Tables",
    "Writer",
    "write_coco",
    "write_csv",
    "write_cvat",
    "write_detections_list",
    "write_json",
    "write_jsonl",
    "write_mot",
    "write_parquet",
]

WRITERS: dict[str, Writer] = {
    "JSON": write_json,
    "JSONL": write_jsonl,
    "CSV": write_csv,
    "PARQUET": write_parquet,
    "MOT": write_mot,
    "DETECTIONS_LIST": write_detections_list,
    "COCO": write_coco,
    "CVAT": write_cvat,
}
"""A writer for each of domain.analyses.files.ResultFormat."""
