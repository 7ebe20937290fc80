"""Folders for files that only exist while a piece of work goes on."""

import os
import shutil
from pathlib import Path

from domain.holders import process_exists


def scratch_folder(data_dir: Path) -> Path:
    """The folder of this worker."""
    return data_dir / "scratch" / str(os.getpid())


def remove_dead_scratch(data_dir: Path) -> int:
    """Remove the folders of workers of this machine that ended without doing so; how many there were."""
    removed = 0
    for folder in (data_dir / "scratch").glob("*"):
        if not folder.name.isdecimal() or not process_exists(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
