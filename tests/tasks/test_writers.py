"""Result files say exactly what was found."""

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.analyses.files import ResultFormat
from tasks.results.table import SegmentTable, SegmentTableBuilder
from tasks.results.writers import WRITERS, write_csv, write_json, write_jsonl, write_mot, write_parquet
from tests.tasks.tables import tracked

SUMMARY = {"video": {"filename": "a.mp4"}, "counts": [], "tracks": []}


@pytest.fixture
def tables() -> list[SegmentTable]:
    first = tracked(
        [(0, 0.0, []), (1, 0.04, [("face", 0.9, (1, 2, 11, 22), 7), ("face", 0.5, (3, 4, 5, 6), None)])]
    )
    second = tracked([(2, 0.08, [("person", 0.75, (0.5, 0, 10.25, 8), 8)]), (3, 0.12, [])])
    return [first, second]


def test_there_is_a_writer_for_every_format():
    assert set(WRITERS) == {result_format.value for result_format in ResultFormat}


def test_json_lists_every_frame_with_its_detections(tables, tmp_path):
    write_json(tmp_path / "r", SUMMARY, tables)
    document = json.loads((tmp_path / "r").read_text())
    assert document["format"] == "framewise.result/1"
    assert document["video"] == {"filename": "a.mp4"}
    frames = document["frames"]
    assert [(frame["frameIndex"], frame["timestampSeconds"]) for frame in frames] == [
        (0, 0.0),
        (1, 0.04),
        (2, 0.08),
        (3, 0.12),
    ]
    assert [len(frame["detections"]) for frame in frames] == [0, 2, 1, 0]
    assert frames[1]["detections"][0] == {
        "label": "face",
        "confidence": 0.9,
        "box": {"x": 1.0, "y": 2.0, "width": 10.0, "height": 20.0},
        "trackId": 7,
    }
    assert frames[1]["detections"][1]["trackId"] is None


def test_json_without_frames_is_json_too(tmp_path):
    write_json(tmp_path / "r", SUMMARY, [])
    assert json.loads((tmp_path / "r").read_text())["frames"] == []


def test_jsonl_has_a_line_for_each_detection(tables, tmp_path):
    write_jsonl(tmp_path / "r", SUMMARY, tables)
    lines = [json.loads(line) for line in (tmp_path / "r").read_text().splitlines()]
    assert [(line["frameIndex"], line["label"], line["trackId"]) for line in lines] == [
        (1, "face", 7),
        (1, "face", None),
        (2, "person", 8),
    ]


def test_csv_and_parquet_hold_the_same_rows(tables, tmp_path):
    write_csv(tmp_path / "c", SUMMARY, tables)
    write_parquet(tmp_path / "p", SUMMARY, tables)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "c").read_text())))
    table = pq.read_table(tmp_path / "p").to_pylist()
    assert len(rows) == len(table) == 3
    for row, columns in zip(rows, table, strict=True):
        assert int(row["frame_index"]) == columns["frame_index"]
        assert (int(row["track_id"]) if row["track_id"] else None) == columns["track_id"]
        assert float(row["width"]) == columns["x2"] - columns["x1"]


def test_mot_counts_frames_from_one_and_marks_detections_without_a_track(tables, tmp_path):
    write_mot(tmp_path / "r", SUMMARY, tables)
    lines = [
        [float(value) for value in line.split(",")] for line in (tmp_path / "r").read_text().splitlines()
    ]
    assert lines[0] == pytest.approx([2, 7, 1, 2, 10, 20, 0.9, -1, -1, -1])
    assert lines[1][:2] == [2, -1]
    assert lines[2] == pytest.approx([3, 8, 0.5, 0, 9.75, 8, 0.75, -1, -1, -1])


def test_an_empty_segment_survives_storage_with_its_frames():
    builder = SegmentTableBuilder()
    builder.add(4, 0.5, np.empty((0, 4)), np.empty(0), [], None, None)
    again = SegmentTable.from_parquet(builder.build().to_parquet())
    assert (again.frame_index.tolist(), again.timestamp_seconds.tolist(), len(again.detections)) == (
        [4],
        [0.5],
        0,
    )


@given(st.lists(st.floats(0, 1, width=32), max_size=20), st.floats(0, 1))
def test_a_threshold_keeps_what_reaches_it_in_single_precision(confidences, threshold):
    builder = SegmentTableBuilder()
    count = len(confidences)
    builder.add(
        0, 0.0, np.zeros((count, 4)), np.array(confidences, dtype=np.float32), ["face"] * count, None, None
    )
    kept = builder.build().kept(threshold, None).detections["confidence"].to_pylist()
    assert kept == [one for one in confidences if np.float32(one) >= np.float32(threshold)]


def test_landmarks_come_back_as_they_went_in():
    builder = SegmentTableBuilder()
    landmarks = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    builder.add(0, 0.0, np.ones((1, 4)), np.ones(1), ["face"], landmarks, None)
    again = SegmentTable.from_parquet(builder.build().to_parquet())
    assert again.detections["landmarks"].to_pylist() == [list(range(10))]
