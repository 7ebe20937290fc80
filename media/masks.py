"""Masks of things in a picture as runs, and as the run-length encoding of COCO."""

from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BITS, _LOW, _SIGN, _MORE, _FIRST = 5, 0x1F, 0x10, 0x20, 48


class RleMask(TypedDict):
    """A mask as `pycocotools.mask` takes it: `size` is height and width."""

    size: list[int]
    counts: str


@dataclass(frozen=True, eq=False)
class MaskRuns:
    """The pixels of a thing as vertical runs, column after column, from top to bottom.

    It takes a few bytes for each pixel of the outline, and moving it costs next to nothing.

    Args:
        columns: int32 (n,), where each run lies.
        tops: int32 (n,), its first row.
        bottoms: int32 (n,), the row after its last.
    """

    columns: NDArray[np.int32]
    tops: NDArray[np.int32]
    bottoms: NDArray[np.int32]

    @classmethod
    def of(cls, mask: ArrayLike) -> "MaskRuns":
        """Those of a mask, bool (height, width)."""
        pixels = np.asarray(mask, dtype=np.bool_)
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if not len(rows):
            nothing = np.empty(0, np.int32)
            return cls(nothing, nothing, nothing)
        top, left = int(rows[0]), int(columns[0])
        part = pixels[top : rows[-1] + 1, left : columns[-1] + 1].T
        padded = np.zeros((part.shape[0], part.shape[1] + 2), np.int8)
        padded[:, 1:-1] = part
        changes = np.diff(padded, axis=1)
        places, starts = np.nonzero(changes == 1)
        ends = np.nonzero(changes == -1)[1]
        return cls(
            (places + left).astype(np.int32), (starts + top).astype(np.int32), (ends + top).astype(np.int32)
        )

    @classmethod
    def from_rle(cls, mask: RleMask) -> "MaskRuns":
        """Those of what `to_rle` gave, or any compressed encoding of COCO."""
        height = mask["size"][0]
        edges = np.cumsum(_counts_of(mask["counts"]))
        ends = edges[1::2]
        starts = edges[::2][: len(ends)]
        starts, ends = starts[ends > starts], ends[ends > starts]
        first, last = starts // height, (ends - 1) // height
        widths = last - first + 1
        columns = np.repeat(first, widths) + _steps(widths)
        tops = np.maximum(np.repeat(starts, widths) - columns * height, 0)
        bottoms = np.minimum(np.repeat(ends, widths) - columns * height, height)
        return cls(columns.astype(np.int32), tops.astype(np.int32), bottoms.astype(np.int32))

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def area(self) -> int:
        """How many pixels there are."""
        return int((self.bottoms - self.tops).sum())

    def moved(self, x: int, y: int) -> "MaskRuns":
        """The same, so many pixels to the right and down; it may reach over the edge of the picture."""
        return MaskRuns(self.columns + np.int32(x), self.tops + np.int32(y), self.bottoms + np.int32(y))

    def within(self, width: int, height: int) -> "MaskRuns":
        """What lies in a picture of this size."""
        if not len(self) or self._fits(width, height):
            return self
        cut = replace(self, tops=np.maximum(self.tops, 0), bottoms=np.minimum(self.bottoms, height))
        inside = (cut.columns >= 0) & (cut.columns < width) & (cut.tops < cut.bottoms)
        return MaskRuns(cut.columns[inside], cut.tops[inside], cut.bottoms[inside])

    def _fits(self, width: int, height: int) -> bool:
        is_wide_enough = self.columns[0] >= 0 and self.columns[-1] < width
        return bool(is_wide_enough and self.tops.min() >= 0 and self.bottoms.max() <= height)

    def to_rle(self, width: int, height: int) -> RleMask:
        """The compressed run-length encoding of COCO, of what lies in a picture of this size."""
        runs = self.within(width, height)
        columns = runs.columns.astype(np.int64) * height
        starts, ends = columns + runs.tops, columns + runs.bottoms
        if len(runs):
            is_apart = starts[1:] != ends[:-1]
            starts, ends = starts[np.r_[True, is_apart]], ends[np.r_[is_apart, True]]
        edges = np.zeros(2 * len(starts) + 2, np.int64)
        edges[1:-1:2], edges[2:-1:2], edges[-1] = starts, ends, width * height
        counts = np.diff(edges)
        if len(counts) > 1 and counts[-1] == 0:
            counts = counts[:-1]
        return {"size": [height, width], "counts": _text_of(counts)}

    def crop(self) -> tuple[int, int, NDArray[np.uint8]]:
        """Left, top, and the pixels of its rectangle, uint8 (height, width) of 0 and 1."""
        if not len(self):
            return 0, 0, np.zeros((0, 0), np.uint8)
        left, top = int(self.columns[0]), int(self.tops.min())
        width, height = int(self.columns[-1]) - left + 1, int(self.bottoms.max()) - top
        changes = np.zeros((width, height + 1), np.int8)
        columns = self.columns - left
        # Runs of a column that touch each other share an edge, so that these add up.
        np.add.at(changes, (columns, self.tops - top), 1)
        np.add.at(changes, (columns, self.bottoms - top), -1)
        pixels = np.cumsum(changes[:, :-1], axis=1, dtype=np.int8).view(np.uint8)
        return left, top, np.ascontiguousarray(pixels.T)


def runs_of_each(masks: Any) -> NDArray[np.object_]:
    """`MaskRuns` (n,) of masks, bool (n, height, width) or supervision's `CompactMask`."""
    runs = np.empty(len(masks), dtype=np.object_)
    for place in range(len(masks)):
        runs[place] = MaskRuns.of(masks[place])
    return runs


def _steps(widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, … for each of the widths."""
    ends = np.cumsum(widths)
    steps: NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - widths, widths)
    return steps


def _text_of(counts: NDArray[np.int64]) -> str:
    """COCO's text: from the fourth on differences to the count before the last, five bits a character.

    As `rleToString` of https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c defines it.
    """
    rest = counts.copy()
    rest[3:] -= counts[1:-2]
    goes_on = np.ones(len(rest), np.bool_)
    characters, are_used = [], []
    while goes_on.any():
        are_used.append(goes_on)
        low = rest & _LOW
        rest = rest >> _BITS
        has_more = rest != np.where(low & _SIGN, -1, 0)
        characters.append((low + _FIRST + _MORE * has_more).astype(np.uint8))
        goes_on = goes_on & has_more
    return np.stack(characters, axis=1)[np.stack(are_used, axis=1)].tobytes().decode("ascii")


def _counts_of(text: str) -> NDArray[np.int64]:
    """The counts that `_text_of` wrote."""
    characters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    is_last = (characters & _MORE) == 0
    ends = np.flatnonzero(is_last) + 1
    starts = np.r_[0, ends[:-1]]
    lengths = ends - starts
    values = np.add.reduceat((characters & _LOW) << (_BITS * _steps(lengths)), starts)
    is_negative = (characters[ends - 1] & _SIGN) != 0
    values -= np.where(is_negative, np.int64(1) << (_BITS * lengths), 0)
    counts = values.copy()
    counts[1::2] = np.cumsum(values[1::2])
    counts[2::2] = np.cumsum(values[2::2])
    return counts
