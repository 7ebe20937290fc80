"""COCO, CVAT and the plain list on cases that can be counted by hand, and on many."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.results.table import SegmentTable
from tasks.results.writers import WRITERS, write_coco, write_cvat, write_detections_list
from tests.tasks.tables import tracked

SUMMARY = {
    "video": {"filename": 'a "<&>.mp4', "width": 640, "height": 480, "frameCount": 10},
    "settings": {"mlModel": "m", "frameStride": 1},
}
BOX = (1.0, 2.0, 11.0, 22.0)


def found(label: str, track: int | None, box: tuple[float, float, float, float] = BOX) -> Any:
    return (label, 0.75, box, track)


def cvat_tracks(path: Path) -> dict[int, tuple[str, list[tuple[int, bool]]]]:
    """Track → its label, and the frames of its boxes with whether it is outside there."""
    return {
        int(track.get("id")): (
            track.get("label"),
            [(int(box.get("frame")), box.get("outside") == "1") for box in track],
        )
        for track in ElementTree.parse(path).iter("track")
    }


def test_cvat_says_where_a_track_is_outside(tmp_path):
    tables = [
        tracked([(0, 0.0, [found("cat", 1), found("dog", 2)]), (1, 0.1, [found("dog", 2)]), (2, 0.2, [])]),
        tracked([(3, 0.3, [found("dog", 2), found("cat", 1)]), (4, 0.4, [found("cat", 1)])]),
    ]
    write_cvat(tmp_path / "r", SUMMARY, tables)
    assert cvat_tracks(tmp_path / "r") == {
        1: ("cat", [(0, False), (1, True), (3, False), (4, False), (5, True)]),
        2: ("dog", [(0, False), (1, False), (2, True), (3, False), (4, True)]),
    }


def test_cvat_does_not_depend_on_how_the_tables_are_cut(tmp_path):
    frames = [(n, n / 10, [found("cat", 1 + n % 3), found("dog", None)] * (n % 2)) for n in range(9)]
    texts = set()
    for length in (1, 2, 4, 9):
        tables = [tracked(frames[start : start + length]) for start in range(0, 9, length)]
        write_cvat(tmp_path / "r", SUMMARY, tables)
        texts.add((tmp_path / "r").read_text())
    assert len(texts) == 1


def test_cvat_ends_tracks_a_stride_after_the_last_frame_but_not_after_the_video(tmp_path):
    tables = [tracked([(0, 0.0, [found("cat", 1)]), (4, 0.4, [found("cat", 1)])])]
    summary = {**SUMMARY, "settings": {"frameStride": 4}}
    write_cvat(tmp_path / "r", summary, tables)
    assert cvat_tracks(tmp_path / "r")[1][1] == [(0, False), (4, False), (8, True)]
    write_cvat(tmp_path / "r", {**summary, "video": {**SUMMARY["video"], "frameCount": 5}}, tables)
    assert cvat_tracks(tmp_path / "r")[1][1] == [(0, False), (4, False)]


def test_in_cvat_a_detection_without_a_track_is_a_track_of_one_box(tmp_path):
    tables = [tracked([(0, 0.0, [found("cat", 4), found("cat", None)]), (1, 0.1, [found("dog", None)])])]
    write_cvat(tmp_path / "r", SUMMARY, tables)
    assert cvat_tracks(tmp_path / "r") == {
        4: ("cat", [(0, False), (1, True)]),
        5: ("cat", [(0, False), (1, True)]),
        6: ("dog", [(1, False), (2, True)]),
    }


def test_cvat_holds_any_label_and_file_name(tmp_path):
    labels = ['a "<&>\n b', "tab\tand\x01control", "猫"]
    tables = [tracked([(0, 0.0, [found(label, None) for label in labels] + [found(labels[0], 1)])])]
    write_cvat(tmp_path / "r", SUMMARY, tables)
    root = ElementTree.parse(tmp_path / "r").getroot()
    assert root.findtext("meta/task/source") == 'a "<&>.mp4'
    assert [track.get("label") for track in root.iter("track")] == [
        labels[0],
        labels[0],
        "tab\tandcontrol",
        "猫",
    ]
    size = root.find("meta/task/original_size")
    assert (size.findtext("width"), size.findtext("height")) == ("640", "480")
    (box, _) = next(root.iter("track"))
    assert {name: box.get(name) for name in ("xtl", "ytl", "xbr", "ybr")} == {
        "xtl": "1.000",
        "ytl": "2.000",
        "xbr": "11.000",
        "ybr": "22.000",
    }
    assert box.findtext("attribute") == "0.75"


def test_coco_numbers_annotations_from_one_and_categories_by_name(tmp_path):
    tables = [
        tracked([(0, 0.0, []), (2, 0.2, [found("dog", 7), found("cat", None)])]),
        tracked([(4, 0.4, [found("cat", 8)])]),
    ]
    write_coco(tmp_path / "r", SUMMARY, tables)
    document = json.loads((tmp_path / "r").read_text())
    assert [(one["id"], one["name"]) for one in document["categories"]] == [(1, "cat"), (2, "dog")]
    assert [image["id"] for image in document["images"]] == [0, 2, 4]
    assert document["images"][1] == {
        "id": 2,
        "file_name": "frame_000002.jpg",
        "width": 640,
        "height": 480,
        "video_id": 1,
        "frame_index": 2,
        "timestamp_seconds": 0.2,
    }
    assert [
        (one["id"], one["image_id"], one["category_id"], one["track_id"]) for one in document["annotations"]
    ] == [
        (1, 2, 2, 7),
        (2, 2, 1, None),
        (3, 4, 1, 8),
    ]
    first = document["annotations"][0]
    assert (first["bbox"], first["area"], first["iscrowd"], first["score"]) == ([1, 2, 10, 20], 200, 0, 0.75)
    assert document["licenses"] == []


@pytest.mark.parametrize("tables", [[], [tracked([])], [tracked([(0, 0.0, [])])]])
def test_nothing_found_is_valid_too(tables, tmp_path):
    write_detections_list(tmp_path / "list", SUMMARY, tables)
    assert json.loads((tmp_path / "list").read_text()) == []
    write_coco(tmp_path / "coco", SUMMARY, tables)
    document = json.loads((tmp_path / "coco").read_text())
    assert (document["annotations"], document["categories"]) == ([], [])
    assert len(document["images"]) == sum(len(table.frame_index) for table in tables)
    write_cvat(tmp_path / "cvat", SUMMARY, tables)
    assert cvat_tracks(tmp_path / "cvat") == {}


class ManyTables:
    """As many tables as asked for, each made anew when it is its turn."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[SegmentTable]:
        for number in range(self.count):
            frames = np.arange(number * 20, number * 20 + 20)
            yield tracked(
                [
                    (int(n), n / 25, [found("cat", 1 + t) for t in range(4)] + [found("dog", None)])
                    for n in frames
                ]
            )


@pytest.mark.parametrize("result_format", ["JSON", "JSONL", "DETECTIONS_LIST", "COCO", "CVAT"])
def test_memory_does_not_grow_with_the_length(result_format, tmp_path):
    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        WRITERS[result_format](tmp_path / str(count), SUMMARY, ManyTables(count))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)
    short, long = peak_bytes(10), peak_bytes(60)
    written = (tmp_path / "60").stat().st_size
    assert written > 5 * (tmp_path / "10").stat().st_size
    assert long < short + written / 10
