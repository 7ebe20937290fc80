"""What background work needs, opened once in each worker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from redis.asyncio import Redis

from settings import Settings
from storage.base import AbstractStorage
from tasks.process.pool import ProcessPool


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
