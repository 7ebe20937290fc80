"""What the overlay shows of each frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from media.masks import MaskRuns, RleMask
from media.overlay import OverlayBox
from tasks.results.table import SegmentTable

_MASK = "mask"


def boxes_to_draw(tables: Iterable[SegmentTable], frame_stride: int) -> Callable[[int], Sequence[OverlayBox]]:
    """The boxes of a frame; between analysed frames, those of the last one before.

    Boxes are all in memory. Masks take more: the tables are gone through again for them, with the video.
    """
    analysed: list[npt.NDArray[np.int64]] = []
    boxes: dict[int, list[OverlayBox]] = {}
    has_masks = False
    names = ("frame_index", "x1", "y1", "x2", "y2", "label", "confidence", "track_id")
    for table in tables:
        analysed.append(table.frame_index)
        has_masks |= _MASK in table.detections.column_names
        columns = [table.detections[name].to_pylist() for name in names]
        for frame_index, *box in zip(*columns, strict=True):
            boxes.setdefault(frame_index, []).append(OverlayBox(*box))
    frames = np.concatenate(analysed) if analysed else np.empty(0, dtype=np.int64)
    masks = _Masks(tables) if has_masks else None

    def boxes_of(frame_index: int) -> Sequence[OverlayBox]:
        position = int(np.searchsorted(frames, frame_index, side="right")) - 1
        if position < 0 or frame_index - frames[position] >= frame_stride:
            return ()
        frame = int(frames[position])
        found = boxes.get(frame, ())
        if masks is None or not found:
            return found
        return [replace(box, mask=mask) for box, mask in zip(found, masks.of(frame), strict=True)]

    return boxes_of


class _Masks:
    """Those of one frame after the other; one table is held at a time.

    Args:
        tables: Gone through again from the start where a frame comes that was passed.
    """

    def __init__(self, tables: Iterable[SegmentTable]) -> None:
        self._tables = tables
        self._rest: Iterator[SegmentTable] = iter(())
        self._frames = range(0)
        self._found: dict[int, list[RleMask | None]] = {}

    def of(self, frame_index: int) -> list[MaskRuns | None]:
        """The masks of an analysed frame's detections."""
        if frame_index < self._frames.start or not self._frames:
            self._rest = iter(self._tables)
            self._take()
        while frame_index >= self._frames.stop:
            self._take()
        masks = self._found[frame_index]
        return [None if mask is None else MaskRuns.from_rle(mask) for mask in masks]

    def _take(self) -> None:
        table = next(self._rest)
        detections = table.detections
        self._found = {}
        numbers = table.frame_index.tolist()
        self._frames = range(numbers[0], numbers[-1] + 1) if numbers else range(0)
        masks = (
            detections[_MASK].to_pylist() if _MASK in detections.column_names else [None] * len(detections)
        )
        for index, mask in zip(detections["frame_index"].to_pylist(), masks, strict=True):
            self._found.setdefault(index, []).append(mask)
