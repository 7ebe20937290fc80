"""What is known of each video while `framewise analyze` works on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from cli.operations import LabelCount, Progress


class Stage(Enum):
    """Where a video is; the value is what people read."""

    WAITING = "waiting"
    UPLOADING = "uploading"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SAVING = "saving"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to the video."""
        return self in {Stage.DONE, Stage.FAILED, Stage.REJECTED, Stage.CANCELLED}


_STAGES = {
    "QUEUED": Stage.QUEUED,
    "RUNNING": Stage.RUNNING,
    "PAUSED": Stage.PAUSED,
    "SUCCEEDED": Stage.SAVING,
    "FAILED": Stage.FAILED,
    "CANCELLED": Stage.CANCELLED,
}


@dataclass
class Row:
    """One video.

    Args:
        path: The file.
        name: What it is called on the screen.
        size_bytes: How large it is.
    """

    path: Path
    name: str
    size_bytes: int = 0
    stage: Stage = Stage.WAITING
    uploaded_bytes: int = 0
    analysis_id: str | None = None
    progress: Progress | None = None
    duration_seconds: float | None = None
    frames_skipped: int = 0
    error: str | None = None
    """Why it failed."""
    files: list[Path] = field(default_factory=list)
    """What was written."""

    def fail(self, reason: str) -> None:
        """End it: something went wrong."""
        self.stage = Stage.FAILED
        self.error = reason

    def reject(self, reason: str) -> None:
        """End it: the server does not accept the file."""
        self.stage = Stage.REJECTED
        self.error = reason

    def take(self, progress: Progress) -> None:
        """Take in a newer state; one that is older than what is known changes nothing."""
        known = self.progress
        if self.stage.is_over or (known is not None and known.is_final):
            return
        if known is not None and not progress.is_final and progress.percent < known.percent:
            progress = replace(known, status=progress.status)
        self.progress = progress
        self.stage = _STAGES.get(progress.status, Stage.RUNNING)
        if self.stage is Stage.FAILED:
            self.error = progress.error_message or "The analysis failed."

    @property
    def counts(self) -> tuple[LabelCount, ...]:
        """The counts so far, the label found most often first."""
        found = self.progress.counts if self.progress else ()
        return tuple(sorted(found, key=lambda count: (-count.detections, count.label)))


class Board:
    """All videos of one run.

    Args:
        rows: The videos, in the order they are shown and uploaded in.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self._early: dict[str, Progress] = {}

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def start(self, row: Row, analysis_id: str) -> None:
        """Note which analysis a video got."""
        row.analysis_id = analysis_id
        row.stage = Stage.QUEUED
        if analysis_id in self._early:
            row.take(self._early.pop(analysis_id))

    def take(self, progress: Progress) -> None:
        """Take in a state, even before `start`: an analysis can begin before its upload is answered."""
        for row in self.rows:
            if row.analysis_id == progress.analysis_id:
                row.take(progress)
                return
        self._early[progress.analysis_id] = progress

    def unfinished(self) -> list[Row]:
        """The videos whose analysis has begun and not ended."""
        return [
            row
            for row in self.rows
            if row.analysis_id is not None and not row.stage.is_over and row.stage is not Stage.SAVING
        ]
