"""The files that `framewise analyze` writes: their names, and how they get there."""

import errno
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cli.errors import CliError
from cli.operations import ResultKind


@dataclass(frozen=True)
class OutputPaths:
    """Where the results of one video go: files of a folder whose names begin alike."""

    folder: Path
    stem: str

    @property
    def json(self) -> Path:
        """Detections and tracks."""
        return self.of(ResultKind.JSON)

    @property
    def overlay(self) -> Path:
        """The video with boxes drawn."""
        return self.of(ResultKind.OVERLAY)

    def of(self, kind: ResultKind) -> Path:
        """The file of a kind."""
        return self.folder / f"{self.stem}.framewise.{kind.value}"


def plan_outputs(videos: Sequence[Path], directory: Path | None) -> dict[Path, OutputPaths]:
    """Paths for the results of each video: beside it, or in `directory`.

    They are named after the video, with a number where two videos would share a name, and none of them is a
    video of the list itself.
    """
    taken = {_identity(video) for video in videos}
    planned: dict[Path, OutputPaths] = {}
    for video in videos:
        folder = directory or video.parent
        number = 1
        while True:
            stem = video.stem if number == 1 else f"{video.stem}-{number}"
            paths = OutputPaths(folder, stem)
            wanted = {_identity(paths.of(kind)) for kind in ResultKind}
            if not wanted & taken:
                break
            number += 1
        taken |= wanted
        planned[video] = paths
    return planned


def _identity(path: Path) -> str:
    # Names that differ in case only are one file on some systems.
    return os.path.normcase(str(path.resolve())).casefold()


def check_writable(folders: Iterable[Path], *, create: bool) -> None:
    """Make sure, before any work is done, that results can be written.

    Raises:
        CliError: A folder cannot be written to.
    """
    for folder in sorted(set(folders)):
        probe = folder / f".framewise-{os.getpid()}.part"
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            probe.unlink()
        except OSError as error:
            raise CliError(
                f"Cannot write the results to {folder}: {error.strerror}. Choose a folder with --output."
            ) from error


@asynccontextmanager
async def written_at_once(path: Path) -> AsyncIterator[BinaryIO]:
    """A file that appears under its name when it is complete, and not at all after an error.

    Raises:
        CliError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise CliError(f"Cannot write {path}: {reason}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
