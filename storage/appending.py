"""Writing one file in several goes, maybe by several processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Saved:
    """How much of an unfinished file is stored, and what is needed to go on from there."""

    offset_bytes: int
    state: str
    """For the caller to keep, together with the offset."""


class StorageAppender(Protocol):
    """Takes the next bytes of an unfinished file, in order."""

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Append the pieces; returns when there is room for more."""

    async def save(self, *, whole: bool = True) -> Saved:
        """How much is stored by now, so that it outlives this process.

        Args:
            whole: Store everything that was written. Otherwise only what is stored anyway counts, which costs
                next to nothing.
        """

    async def finish(self) -> None:
        """Make the file appear under its key; where it did already, nothing happens.

        The caller must have kept the last `Saved` before: who may not keep it any more may not finish either.
        """
