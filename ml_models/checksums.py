"""Whether a file is the one it should be."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ml_models.errors import WeightsCorruptError


def verify_file(path: Path, known: Sequence[str], remedy: str) -> None:
    """Check a file.

    Args:
        path: The file.
        known: What its SHA-256 may be.
        remedy: What to do if it is not; the end of the error.

    Raises:
        WeightsCorruptError: It is another file.
    """
    digest = _file_sha256(path, path.stat().st_mtime_ns)
    if digest not in known:
        expected = " or ".join(known)
        raise WeightsCorruptError(
            f"{path} is not the file it should be (SHA-256 {digest}, expected {expected}): {remedy}"
        )


@lru_cache(maxsize=64)
def _file_sha256(path: Path, _modified_ns: int) -> str:
    """Read once, as long as the file is not touched."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
