"""CVAT for video 1.1: a track for each thing followed, with a key frame wherever it was detected.

The form is that of https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. Its order is by track
while detections come by frame, so the boxes of a track are put aside in a file, piece by piece, and joined at
the end: memory holds where the pieces lie and the last box of each. A detection with a mask is a polygon,
since CVAT keeps of a track of masks the first one only. All shapes of a track are of the kind of its first.
"""

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

from media.masks import MaskRuns, RleMask
from media.outlines import outline
from tasks.results.table import SegmentTable
from tasks.results.writers.base import CONFIDENCE_DIGITS, COORDINATE_DIGITS, Tables, rows

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Corners = tuple[float, float, float, float]
_FEWEST_CORNERS = 3


@dataclass(frozen=True)
class _Shape:
    """What CVAT draws: the name of its element, and the attributes that say where it is."""

    kind: str
    place: str

    @classmethod
    def of(cls, corners: _Corners, mask: RleMask | None, kind: str | None) -> "_Shape":
        """A box or polygon, as `kind` says; where that is None, as suits."""
        if kind == "box" or (kind is None and mask is None):
            names = zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True)
            return cls("box", " ".join(f'{name}="{value:.{COORDINATE_DIGITS}f}"' for name, value in names))
        edge = [] if mask is None else outline(MaskRuns.from_rle(mask))
        if len(edge) < _FEWEST_CORNERS:
            x1, y1, x2, y2 = corners
            edge = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
        points = ";".join(f"{x:.{COORDINATE_DIGITS}f},{y:.{COORDINATE_DIGITS}f}" for x, y in edge)
        return cls("polygon", f'points="{points}"')


def write_cvat(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """Frames are numbered as in the video, from 0. A thing that is not seen any more is `outside`."""
    with (
        tempfile.TemporaryFile(dir=path.parent) as tracked,
        tempfile.TemporaryFile(dir=path.parent) as single,
        path.open("wb") as output,
    ):
        tracks = _Tracks(tracked, single, summary)
        tracks.add(tables)
        output.write(_head(summary["video"], sorted(tracks.labels)).encode())
        for chunk in tracks.elements():
            output.write(chunk)
        output.write(b"</annotations>\n")


@dataclass
class _Track:
    label: str
    last_position: int
    gone_frame: int | None
    """The first analysed frame after the last one it was seen in; None at the end of the video."""
    shape: _Shape
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """Where its boxes lie: offset and length."""


class _Tracks:
    """Sorts boxes by track.

    Args:
        tracked: An empty file, for the boxes of tracks.
        single: Another, for detections without a track, each of which becomes a track of one box.
        summary: Of the result.
    """

    def __init__(self, tracked: BinaryIO, single: BinaryIO, summary: Mapping[str, Any]) -> None:
        self._tracked = tracked
        self._single = single
        self._frame_count: int | None = summary["video"].get("frameCount")
        self._frame_stride: int = summary.get("settings", {}).get("frameStride", 1)
        self._tracks: dict[int, _Track] = {}
        self.labels: set[str] = set()

    def add(self, tables: Tables) -> None:
        """Take in all detections."""
        position = 0
        with_end: Iterable[SegmentTable | None] = chain(_filled(tables), [None])
        for table, following in pairwise(with_end):
            if table is not None:
                self._add(table, position, following)
                position += len(table.frame_index)

    def _add(self, table: SegmentTable, position: int, following: SegmentTable | None) -> None:
        frames = table.frame_index.tolist()
        end = self._end(frames[-1]) if following is None else int(following.frame_index[0])
        next_frames = dict(zip(frames, [*frames[1:], end], strict=True))
        positions = {frame: number for number, frame in enumerate(frames, position)}
        boxes: dict[int, list[str]] = defaultdict(list)
        for frame, label, confidence, x1, y1, x2, y2, track_id, mask in rows(
            table.detections, "frame_index", "label", "confidence", "x1", "y1", "x2", "y2", "track_id", "mask"
        ):
            self.labels.add(label)
            known = self._tracks.get(track_id)
            shape = _Shape.of((x1, y1, x2, y2), mask, None if known is None else known.shape.kind)
            gone = next_frames[frame]
            box = _box(frame, shape, confidence)
            if track_id is None:
                self._single.write(_one_line(label, [box, *_goodbye(gone, shape)]))
                continue
            boxes[track_id] += self._step(track_id, label, positions[frame], gone, shape)
            boxes[track_id].append(box)
        for track_id, lines in boxes.items():
            data = "".join(lines).encode()
            self._tracks[track_id].pieces.append((self._tracked.tell(), len(data)))
            self._tracked.write(data)

    def _end(self, last_frame: int) -> int | None:
        """Where a thing leaves that is seen in the last analysed frame."""
        frame = last_frame + self._frame_stride
        return frame if self._frame_count is not None and frame < self._frame_count else None

    def _step(self, track_id: int, label: str, position: int, gone: int | None, shape: _Shape) -> list[str]:
        """What comes before a box: where the thing was away since its last one, the frame it left in."""
        track = self._tracks.get(track_id)
        if track is None:
            self._tracks[track_id] = _Track(label, position, gone, shape)
            return []
        was_away = position - track.last_position > 1
        lines = _goodbye(track.gone_frame, track.shape) if was_away else []
        track.last_position, track.gone_frame, track.shape = position, gone, shape
        return lines

    def elements(self) -> Iterator[bytes]:
        """The `track` elements: those followed by number, then the others."""
        for track_id, track in sorted(self._tracks.items()):
            yield f"  <track id={quoteattr(str(track_id))} {_attributes(track.label)}>\n".encode()
            for offset, length in track.pieces:
                self._tracked.seek(offset)
                yield self._tracked.read(length)
            yield "".join(_goodbye(track.gone_frame, track.shape)).encode()
            yield b"  </track>\n"
        self._single.seek(0)
        for number, line in enumerate(self._single, max(self._tracks, default=0) + 1):
            yield f'  <track id="{number}" '.encode() + line


def _filled(tables: Tables) -> Iterator[SegmentTable]:
    return (table for table in tables if len(table.frame_index))


def _one_line(label: str, boxes: Iterable[str]) -> bytes:
    return f"{_attributes(label)}>{''.join(line.strip() for line in boxes)}</track>\n".encode()


def _attributes(label: str) -> str:
    return f'label={_quoted(label)} source="auto"'


def _box(frame: int, shape: _Shape, confidence: float) -> str:
    value = f"{round(confidence, CONFIDENCE_DIGITS):g}"
    return _element(frame, shape, 0, f'<attribute name="confidence">{value}</attribute>')


def _goodbye(frame: int | None, shape: _Shape) -> list[str]:
    return [] if frame is None else [_element(frame, shape, 1, "")]


def _element(frame: int, shape: _Shape, outside: int, content: str) -> str:
    return (
        f'    <{shape.kind} frame="{frame}" outside="{outside}" occluded="0" keyframe="1" {shape.place} '
        f'z_order="0">{content}</{shape.kind}>\n'
    )


def _head(video: Mapping[str, Any], labels: Iterable[str]) -> str:
    frame_count = video.get("frameCount") or 0
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n'
        f"    <task>\n      <name>{_text(video['filename'])}</name>\n      <size>{frame_count}</size>\n"
        "      <mode>interpolation</mode>\n      <overlap>0</overlap>\n      <flipped>False</flipped>\n"
        f"      <start_frame>0</start_frame>\n      <stop_frame>{max(0, frame_count - 1)}</stop_frame>\n"
        f"      <labels>\n{''.join(map(_label, labels))}      </labels>\n"
        f"      <original_size><width>{video.get('width') or 0}</width>"
        f"<height>{video.get('height') or 0}</height></original_size>\n"
        f"      <source>{_text(video['filename'])}</source>\n    </task>\n  </meta>\n"
    )


def _label(name: str) -> str:
    return (
        f"        <label><name>{_text(name)}</name><attributes><attribute><name>confidence</name>"
        "<mutable>True</mutable><input_type>text</input_type><default_value></default_value>"
        "<values></values></attribute></attributes></label>\n"
    )


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text))


def _quoted(text: str) -> str:
    # A line break in an attribute would end the line that a single detection is kept in.
    return quoteattr(_NOT_XML.sub("", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
