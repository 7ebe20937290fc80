"""Who works on what, looked up in the database many times a second."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.ledger import Ledger, LedgerAwayError

SAMPLE_SECONDS = 0.04

_LEASES = """
SELECT 'segment', CAST(id AS TEXT), fence, frames_done, lease_expires_at FROM segments WHERE status = 'RUNNING'
UNION ALL SELECT 'analysis', CAST(id AS TEXT), fence, overlay_frames_done + tracked_segments, lease_expires_at
  FROM analyses WHERE lease_expires_at IS NOT NULL
UNION ALL SELECT 'video', CAST(id AS TEXT), fence, 0, lease_expires_at
  FROM videos WHERE lease_expires_at IS NOT NULL
"""

_CLAIMABLE = """
SELECT (SELECT count(*) FROM segments s JOIN analyses a ON a.id = s.analysis_id
        WHERE s.status = 'WAITING' AND a.status IN ('QUEUED', 'RUNNING'))
     + (SELECT count(*) FROM videos WHERE status = 'PROBING' AND lease_expires_at IS NULL)
     + (SELECT count(*) FROM analyses a JOIN videos v ON v.id = a.video_id WHERE a.lease_expires_at IS NULL
        AND a.advance_due AND a.status IN ('QUEUED', 'RUNNING') AND v.status = 'READY')
"""

_STOPPED = """
SELECT CAST(s.id AS TEXT), s.fence FROM segments s JOIN analyses a ON a.id = s.analysis_id
WHERE a.status IN ('PAUSED', 'CANCELLED') AND s.status <> 'DONE' AND s.fence > 0
"""


@dataclass(frozen=True)
class Held:
    """A lease as it stands in its row."""

    fence: int
    done: int
    expires_at: float | None


Key = tuple[str, str]
"""Kind of row, id."""


@dataclass
class Sample:
    """All leases at one moment, and how much more could be claimed."""

    at: float = 0.0
    leases: dict[Key, Held] = field(default_factory=dict)
    claimable: int = 0

    def alive_since(self, before: "Sample") -> int:
        """Leases that were claimed or renewed after `before`."""
        return sum(1 for key, held in self.leases.items() if before.leases.get(key) != held)

    def claimed_since(self, before: "Sample") -> bool:
        """Whether something was claimed after `before`."""
        return any(
            key not in before.leases or before.leases[key].fence != held.fence
            for key, held in self.leases.items()
        )


class Sampler:
    """Keeps the latest sample, and the claims it saw."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.latest = Sample()
        self._fences: dict[str, int] = {}
        self._stopped: set[tuple[str, int]] = set()

    async def sample(self) -> Sample | None:
        """Read now; None while the database is away."""
        at = time.monotonic()
        try:
            rows = await self._ledger.rows(_LEASES)
            ((claimable,),) = await self._ledger.rows(_CLAIMABLE)
            stopped = await self._ledger.rows(_STOPPED)
        except LedgerAwayError:
            return None
        leases = {(str(row[0]), str(row[1])): Held(int(row[2]), int(row[3]), row[4]) for row in rows}
        self._note_fences((str(row[1]), int(row[2])) for row in rows if row[0] == "segment")
        self._stopped |= {(str(row[0]), int(row[1])) for row in stopped}
        self.latest = Sample(at, leases, int(claimable))
        return self.latest

    async def repeated_segments(self) -> tuple[int, int]:
        """How often a segment was claimed again: after a pause or cancel, and for other reasons.

        Segments of deleted videos are counted as far as a sample saw them.
        """
        rows = await self._ledger.rows("SELECT CAST(id AS TEXT), fence FROM segments")
        self._note_fences((str(row[0]), int(row[1])) for row in rows)
        repeats = sum(fence - 1 for fence in self._fences.values() if fence > 1)
        ordered = sum(1 for key, fence in self._stopped if fence < self._fences.get(key, 0))
        return ordered, repeats - ordered

    def _note_fences(self, found: Iterable[tuple[str, int]]) -> None:
        for key, fence in found:
            self._fences[key] = max(fence, self._fences.get(key, 0))

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)
