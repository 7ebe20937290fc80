"""What background work needs, opened once in each worker."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from redis.asyncio import Redis

from domain.leases import Patience
from domain.outages import through_outages
from settings import Settings
from storage.base import AbstractStorage
from tasks.process.pool import ProcessPool

T = TypeVar("T")

HOLD_SECONDS = 5.0
"""How long a worker takes up nothing new after storage failed it."""


@dataclass
class Runtime:
    """Settings, storage, Redis and analysis processes of one worker."""

    settings: Settings
    storage: AbstractStorage
    redis: Redis
    pool: ProcessPool
    ring: Callable[[], Awaitable[None]]
    """Tells workers that there is work."""
    is_stopping: bool = False
    last_published: dict[UUID, float] = field(default_factory=dict)
    last_identified: dict[UUID, float] = field(default_factory=dict)
    """When this worker last took faces of an analysis to people, or first saw that there are some."""
    last_advanced: dict[UUID, float] = field(default_factory=dict)
    """When this worker last planned or tracked an analysis."""
    problem: str | None = None
    """Why this worker waits although there may be work; null while all is well."""
    _held_until: float = 0.0

    @property
    def patience(self) -> Patience:
        """How often a piece of work is tried."""
        return Patience(self.settings.max_attempts, self.settings.max_interruptions)

    @property
    def is_held(self) -> bool:
        """Whether nothing new is taken up for now."""
        return time.monotonic() < self._held_until

    def hold(self, problem: str) -> None:
        """Take up nothing new for a while."""
        self.problem = problem
        self._held_until = time.monotonic() + HOLD_SECONDS

    async def surely(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Record something in the database, however long it is away; only a worker that stops gives up.

        The operation is one that names a fencing token, so a second time does no harm.
        """
        return await through_outages(
            operation, patience_seconds=math.inf, what=what, give_up=lambda: self.is_stopping
        )
