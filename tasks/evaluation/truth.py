"""Ground truth of one sequence, and its reading from MOT Challenge text."""

import csv
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.evaluation.errors import GroundTruthError

ONE_CLASS = ""
"""The label of ground truth that names none."""

NO_ID = -1
_PEDESTRIAN = 1
_DISTRACTORS = (2, 7, 8, 12)
"""MOT's people on vehicles, static people, distractors and reflections: neither to find nor wrong to find."""
_MIN_COLUMNS = 6


@dataclass(frozen=True)
class Truth:
    """What is to be found, box by box; arrays of equal length.

    Args:
        frames: (n,) frame indices from 0.
        ids: (n,) what thing it is, `NO_ID` where that is not said.
        boxes: (n, 4) xmin, ymin, xmax, ymax.
        labels: (n,) strings, `ONE_CLASS` where the format has none.
        ignored: (n,) whether it does not count, whether found or not.
        distractors: (n,) the MOT class of what a tracker may follow without fault, else 0.
        annotated_frames: Frames that were annotated; None: all.
    """

    frames: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.object_]
    ignored: npt.NDArray[np.bool_]
    distractors: npt.NDArray[np.int64]
    annotated_frames: frozenset[int] | None = None

    @property
    def has_ids(self) -> bool:
        """Whether tracks can be judged: by the boxes that say what thing they are."""
        scored = self.ids[~self.ignored]
        return bool(len(self.ids)) and (not len(scored) or bool((scored != NO_ID).any()))

    @property
    def nameless(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a box is to be found, but does not say what thing it is."""
        found: npt.NDArray[np.bool_] = ~self.ignored & (self.ids == NO_ID)
        return found

    @property
    def last_frame(self) -> int | None:
        """The last frame that counts; None: the last there is."""
        return None if self.annotated_frames is None else max(self.annotated_frames, default=-1)

    def of_labels(self, labels: Collection[str]) -> "Truth":
        """Only the boxes of these labels."""
        return self._rows(np.array([label in labels for label in self.labels], dtype=bool))

    def of_stride(self, frame_stride: int, frame_count: int) -> "Truth":
        """Only the frames, of so many, whose index is a multiple of the stride."""
        if frame_stride == 1:
            return self
        frames = range(frame_count) if self.annotated_frames is None else self.annotated_frames
        kept = frozenset(frame for frame in frames if frame % frame_stride == 0)
        return replace(self._rows(self.frames % frame_stride == 0), annotated_frames=kept)

    def ignoring(self, rows: npt.NDArray[np.bool_]) -> "Truth":
        """The same, but these boxes do not count either."""
        return replace(self, ignored=self.ignored | rows)

    def _rows(self, rows: npt.NDArray[np.bool_]) -> "Truth":
        return Truth(
            self.frames[rows],
            self.ids[rows],
            self.boxes[rows],
            self.labels[rows],
            self.ignored[rows],
            self.distractors[rows],
            self.annotated_frames,
        )


def read_mot(path: Path) -> Truth:
    """Ground truth in the text form of the MOT Challenge.

    Columns are frame from 1, id, left, top, width, height, and perhaps: whether it counts, class, visibility.
    Of what has classes, pedestrians (1) are to be found; other classes are ignored.

    Raises:
        GroundTruthError: A line has too few columns, or something that is no number.
    """
    rows = list(_mot_rows(path))
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    boxes = table[:, 2:6].copy()
    boxes[:, 2:] += boxes[:, :2]
    classes = table[:, 7].astype(np.int64)
    classes[classes < 0] = _PEDESTRIAN
    return Truth(
        frames=table[:, 0].astype(np.int64) - 1,
        ids=table[:, 1].astype(np.int64),
        boxes=boxes,
        labels=np.full(len(table), ONE_CLASS, dtype=object),
        ignored=(table[:, 6] == 0) | (classes != _PEDESTRIAN),
        distractors=np.where(np.isin(classes, _DISTRACTORS), classes, 0),
    )


def _mot_rows(path: Path) -> list[list[float]]:
    found = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) < _MIN_COLUMNS:
                    raise GroundTruthError(
                        f"{path}, line {number}: it has {len(row)} columns, not 6 or more."
                    )
                values = [float(cell) for cell in row[:8] if cell.strip()]
                found.append(values + [1.0, float(_PEDESTRIAN)][len(values) - 6 :])
    except (ValueError, csv.Error) as error:
        raise GroundTruthError(f"{path} is no MOT ground truth: {error}") from error
    return found
