"""Detections of one segment as a table: what is stored, cached, and read by time window."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from media.masks import RleMask

DETECTION_SCHEMA = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("timestamp_seconds", pa.float64()),
        ("label", pa.string()),
        ("confidence", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("landmarks", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float32())),
    ]
)
"""Boxes and landmarks (x, y, x, y, …) are in pixels of the display-oriented frame."""

OPTIONAL_FIELDS = pa.schema(
    [
        ("mask", pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])),
        ("landmark_scores", pa.list_(pa.float32())),
    ]
)
"""Columns that are there only if the model gives them, in front of `track_id`.

A mask is a `media.masks.RleMask`: COCO's compressed run-length encoding, of the whole frame.
"""

TRACKED_SCHEMA = DETECTION_SCHEMA.append(pa.field("track_id", pa.int32()))

_FRAME_INDEX = b"framewise.frame_index"
_TIMESTAMPS = b"framewise.timestamp_seconds"
_SKIPPED = b"framewise.frames_skipped"
_CUTS = b"framewise.cuts"
_EDGES = b"framewise.edges"
_JUMPS = b"framewise.jumps"


@dataclass(frozen=True)
class SegmentTable:
    """Detections in presentation order, and every frame of the stride, with or without detections.

    `frame_index` (n,) int64 and `timestamp_seconds` (n,) float64 list the frames. Of them the model did not
    look at `frames_skipped`: their detections are taken from those around them. `cuts` (m,) int64 are the
    frames with which another shot begins, and `edges` the brightness of the first and the last frame, by
    which a cut between two segments is found; before `jumps` (k,) int64 a face changed. See
    `ml_models.looking.cuts`.
    """

    detections: pa.Table
    frame_index: npt.NDArray[np.int64]
    timestamp_seconds: npt.NDArray[np.float64]
    frames_skipped: int = 0
    cuts: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    edges: bytes = b""
    jumps: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def to_parquet(self) -> bytes:
        """The same bytes for the same content."""
        metadata = {
            _FRAME_INDEX: np.asarray(self.frame_index, dtype="<i8").tobytes(),
            _TIMESTAMPS: np.asarray(self.timestamp_seconds, dtype="<f8").tobytes(),
        }
        if self.frames_skipped:
            metadata[_SKIPPED] = str(self.frames_skipped).encode()
        if len(self.cuts):
            metadata[_CUTS] = np.asarray(self.cuts, dtype="<i8").tobytes()
        if self.edges:
            metadata[_EDGES] = self.edges
        if len(self.jumps):
            metadata[_JUMPS] = np.asarray(self.jumps, dtype="<i8").tobytes()
        table = self.detections.replace_schema_metadata(metadata)
        output = io.BytesIO()
        # A segment is read as a whole, so statistics have no use, and few but labels repeat.
        pq.write_table(table, output, compression="zstd", use_dictionary=["label"], write_statistics=False)
        return output.getvalue()

    @classmethod
    def from_parquet(cls, source: bytes | str) -> "SegmentTable":
        """Read what `to_parquet` wrote, from bytes or a path."""
        # Not read_table: it goes through a dataset, which takes as long again.
        with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
            table = file.read(use_threads=False)
        metadata = table.schema.metadata or {}
        return cls(
            table,
            np.frombuffer(metadata.get(_FRAME_INDEX, b""), dtype="<i8"),
            np.frombuffer(metadata.get(_TIMESTAMPS, b""), dtype="<f8"),
            int(metadata.get(_SKIPPED, b"0")),
            np.frombuffer(metadata.get(_CUTS, b""), dtype="<i8"),
            metadata.get(_EDGES, b""),
            np.frombuffer(metadata.get(_JUMPS, b""), dtype="<i8"),
        )

    def kept(self, min_confidence: float, labels: Sequence[str] | None) -> "SegmentTable":
        """Only detections of these labels (None: all) with at least this confidence."""
        mask = _mask(self.detections, min_confidence, labels)
        return SegmentTable(self.detections.filter(mask), self.frame_index, self.timestamp_seconds)

    def counts(self) -> dict[str, int]:
        """Detections by label."""
        return _counts(self.detections)


def detection_counts(data: bytes, min_confidence: float, labels: Sequence[str] | None) -> dict[str, int]:
    """Detections by label of what `SegmentTable.to_parquet` wrote, of those that would be kept."""
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        table = file.read(columns=["label", "confidence"], use_threads=False)
    return _counts(table.filter(_mask(table, min_confidence, labels)))


def _mask(detections: pa.Table, min_confidence: float, labels: Sequence[str] | None) -> pa.Array:
    mask = pc.greater_equal(detections["confidence"], pa.scalar(min_confidence, pa.float32()))
    if labels is not None:
        mask = pc.and_(mask, pc.is_in(detections["label"], pa.array(list(labels), pa.string())))
    return mask


def _counts(detections: pa.Table) -> dict[str, int]:
    return dict(sorted(Counter(detections["label"].to_pylist()).items()))


def merged(tables: Iterable[SegmentTable], max_rows: int) -> Iterator[SegmentTable]:
    """The same frames in fewer tables: what follows each other is put together, up to so many detections."""
    waiting: list[SegmentTable] = []
    row_count = 0
    for table in tables:
        if waiting and row_count + len(table.detections) > max_rows:
            yield _joined(waiting)
            waiting, row_count = [], 0
        waiting.append(table)
        row_count += len(table.detections)
    if waiting:
        yield _joined(waiting)


def _joined(tables: Sequence[SegmentTable]) -> SegmentTable:
    if len(tables) == 1:
        return tables[0]
    return SegmentTable(
        # Of a model that gives masks, those without detections have no column for them.
        pa.concat_tables(
            [table.detections.replace_schema_metadata() for table in tables], promote_options="default"
        ).combine_chunks(),
        np.concatenate([table.frame_index for table in tables]),
        np.concatenate([table.timestamp_seconds for table in tables]),
    )


class SegmentTableBuilder:
    """Collects the detections of one frame after the other."""

    def __init__(self) -> None:
        self._frames: list[int] = []
        self._timestamps: list[float] = []
        self._frames_skipped = 0
        self._row_count = 0
        self._columns: dict[str, list[Any]] = {field.name: [] for field in DETECTION_SCHEMA}

    def add(
        self,
        frame_index: int,
        timestamp_seconds: float,
        boxes: npt.NDArray[Any],
        confidences: npt.NDArray[Any],
        labels: Iterable[str],
        landmarks: npt.ArrayLike | None,
        embeddings: npt.ArrayLike | None,
        *,
        masks: Sequence[RleMask] | None = None,
        landmark_scores: npt.ArrayLike | None = None,
        is_looked_at: bool = True,
    ) -> None:
        """Add a frame's detections.

        Args:
            frame_index: The frame's number in the video.
            timestamp_seconds: Its presentation time.
            boxes: (n, 4) of x1, y1, x2, y2.
            confidences: (n,).
            labels: n of them.
            landmarks: (n, k, 2), if the model gives them.
            embeddings: (n, d), likewise.
            masks: n of them, likewise.
            landmark_scores: (n, k), likewise.
            is_looked_at: Whether the model saw the frame.
        """
        self._frames.append(frame_index)
        self._frames_skipped += not is_looked_at
        self._timestamps.append(timestamp_seconds)
        count = len(boxes)
        if not count:
            return
        columns = self._columns
        columns["frame_index"].extend([frame_index] * count)
        columns["timestamp_seconds"].extend([timestamp_seconds] * count)
        columns["label"].extend(labels)
        columns["confidence"].append(confidences)
        for name, column in zip(("x1", "y1", "x2", "y2"), boxes.T, strict=True):
            columns[name].append(column)
        columns["landmarks"].extend(_rows(landmarks, count))
        columns["embedding"].extend(_rows(embeddings, count))
        self._extend_optional("mask", masks, count)
        self._extend_optional(
            "landmark_scores", None if landmark_scores is None else _rows(landmark_scores, count), count
        )
        self._row_count += count

    def _extend_optional(self, name: str, values: Sequence[Any] | None, count: int) -> None:
        if values is None and name not in self._columns:
            return
        column = self._columns.setdefault(name, [None] * self._row_count)
        column.extend([None] * count if values is None else values)

    def build(
        self,
        cuts: Sequence[int] = (),
        edges: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]] | None = None,
        jumps: Sequence[int] = (),
    ) -> SegmentTable:
        """The table of all frames added.

        Args:
            cuts: The frames with which another shot begins.
            edges: The brightness of the first and the last frame, of one shape.
            jumps: The frames before which a face changed.
        """
        arrays = []
        optional = [column for column in OPTIONAL_FIELDS if column.name in self._columns]
        schema = pa.schema([*DETECTION_SCHEMA, *optional])
        for column in schema:
            values = self._columns[column.name]
            if pa.types.is_float32(column.type):
                joined = np.concatenate(values) if values else np.empty(0)
                arrays.append(pa.array(joined.astype(np.float32), column.type))
            else:
                arrays.append(pa.array(values, column.type))
        return SegmentTable(
            pa.Table.from_arrays(arrays, schema=schema),
            np.asarray(self._frames, dtype=np.int64),
            np.asarray(self._timestamps, dtype=np.float64),
            self._frames_skipped,
            np.asarray(cuts, dtype=np.int64),
            b"" if edges is None else np.stack(edges).tobytes(),
            np.asarray(jumps, dtype=np.int64),
        )


def _rows(values: npt.ArrayLike | None, count: int) -> list[list[float] | None]:
    if values is None:
        return [None] * count
    return list(np.asarray(values, dtype=np.float32).reshape(count, -1).tolist())
