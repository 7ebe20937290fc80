"""Tables of detections: put together, and counted as they are stored."""

import numpy as np
import pytest

from tasks.results.table import (
    DETECTION_SCHEMA,
    SegmentTable,
    SegmentTableBuilder,
    detection_counts,
    merged,
)
from tests.tasks.tables import tracked

BOX = (0, 0, 1, 1)


def segment(number: int, detection_count: int) -> SegmentTable:
    """Of two frames, the second of them empty."""
    detections = [("face", 0.5, BOX, 10 * number + index) for index in range(detection_count)]
    return tracked([(2 * number, number / 10, detections), (2 * number + 1, number / 10 + 0.05, [])])


@pytest.mark.parametrize(
    ("max_rows", "sizes"), [(1, [3, 0, 2, 2]), (4, [3, 4]), (5, [5, 2]), (100, [7])], ids=str
)
def test_merged_tables_hold_the_same(max_rows: int, sizes: list[int]) -> None:
    tables = [segment(number, count) for number, count in enumerate((3, 0, 2, 2))]
    found = list(merged(tables, max_rows))
    assert [len(table.detections) for table in found] == sizes
    rows = [row for table in found for row in table.detections.to_pylist()]
    assert rows == [row for table in tables for row in table.detections.to_pylist()]
    assert np.concatenate([table.frame_index for table in found]).tolist() == list(range(8))
    seconds = [second for table in tables for second in table.timestamp_seconds]
    assert np.concatenate([table.timestamp_seconds for table in found]).tolist() == seconds


def test_nothing_merged_is_nothing() -> None:
    assert list(merged([], 10)) == []


@pytest.mark.parametrize("labels", [None, ["dog"], ["cat", "dog"], []])
@pytest.mark.parametrize("min_confidence", [0.0, 0.6, 0.7])
def test_stored_detections_are_counted_as_those_that_are_kept(min_confidence, labels) -> None:
    table = tracked(
        [(0, 0.0, [("cat", 0.6, BOX, 1), ("dog", 0.7, BOX, 2)]), (1, 0.1, [("dog", 0.2, BOX, 2)])]
    )
    expected = table.kept(min_confidence, labels).counts()
    assert detection_counts(table.to_parquet(), min_confidence, labels) == expected
    assert sum(expected.values()) == len(table.kept(min_confidence, labels).detections)


MASK = {"size": [2, 2], "counts": "112"}


def built(frames: list[list[dict[str, object] | None] | None], start: int = 0) -> SegmentTable:
    """A table of frames, each with its masks; None: with one detection of a model that gives none."""
    builder = SegmentTableBuilder()
    for index, masks in enumerate(frames, start):
        count = 1 if masks is None else len(masks)
        boxes = np.tile(np.float32(BOX), (count, 1))
        builder.add(index, index / 10, boxes, np.ones(count), ["cat"] * count, None, None, masks=masks)
    return SegmentTable.from_parquet(builder.build().to_parquet())


def test_columns_that_no_model_gives_are_not_there() -> None:
    assert built([None, [], None]).detections.schema.equals(DETECTION_SCHEMA)


def test_masks_come_back_beside_their_detections() -> None:
    table = built([None, [], [MASK, None], None])
    assert table.detections["mask"].to_pylist() == [None, MASK, None, None]
    assert "landmark_scores" not in table.detections.column_names


def test_tables_with_and_without_masks_are_put_together() -> None:
    tables = [built([None]), built([[MASK]], 1), built([[]], 2)]
    for order in (tables, tables[::-1]):
        (found,) = merged(order, 10)
        assert sorted(found.detections["mask"].to_pylist(), key=str) == [None, MASK]
        assert len(found.frame_index) == 3
