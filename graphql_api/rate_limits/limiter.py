"""Counting in Redis, for all API processes together; in this process while Redis is away."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from domain.errors import LimitExceededError
from tasks.redis_clients import REDIS_ERRORS, redis_outage

T = TypeVar("T")

_PREFIX = "framewise:rates"
_ANSWER_SECONDS = 0.5
_MOST_IN_MEMORY = 20_000


@dataclass(frozen=True)
class Rate:
    """What a setting allows: each of its parts counts for itself.

    Args:
        setting: The name of the setting.
        items: Its parts; none where the setting is empty.
    """

    setting: str
    items: tuple[RateLimitItem, ...]

    @classmethod
    def of(cls, setting: str, value: str) -> "Rate":
        """The rate that the value of a setting says."""
        return cls(setting, tuple(parse_many(value)) if value.strip() else ())

    def times(self, factor: int) -> "Rate":
        """The same rate so many times as high."""
        items = tuple(type(item)(item.amount * factor, item.multiples) for item in self.items)
        return Rate(self.setting, items)

    def __str__(self) -> str:
        return ", ".join(str(item) for item in self.items)


class RateLimiter:
    """Counts what happens in sliding windows.

    Redis may be away: then each API process counts for itself from zero, so that limits are laxer for a while
    but never off, and nobody waits for Redis.

    Args:
        redis: The client whose connections are used; None counts in this process only.
    """

    def __init__(self, redis: Redis | None) -> None:
        self._memory = MemoryStorage()
        self._redis: RedisStorage | None = None
        if redis is not None:
            # The client's connections bring their own address, and limits of time.
            self._redis = RedisStorage(
                "async+redis://",
                implementation="redispy",
                key_prefix=_PREFIX,
                connection_pool=redis.connection_pool,  # type: ignore[arg-type]
            )

    async def hit(self, rate: Rate, *who: str) -> float:
        """Count one; 0 if it is allowed, else how many seconds later it may be.

        Args:
            rate: How often is allowed.
            who: Whose count it is; each setting has its own.
        """
        return await self._wait_seconds(SlidingWindowCounterRateLimiter.hit, rate, who)

    async def wait_seconds(self, rate: Rate, *who: str) -> float:
        """How many seconds later one more is allowed, 0 for now; it is not counted."""
        return await self._wait_seconds(SlidingWindowCounterRateLimiter.test, rate, who)

    async def forget(self, rate: Rate, *who: str) -> None:
        """Count from zero."""

        async def clear(storage: Storage) -> None:
            limiter = SlidingWindowCounterRateLimiter(storage)
            for item in rate.items:
                await limiter.clear(item, rate.setting, *who)

        await self.ask(clear)

    async def ask(self, operation: Callable[[Storage], Awaitable[T]]) -> T:
        """Do something with Redis, or with this process' memory if Redis does not answer soon."""
        if self._redis is not None and redis_outage.is_worth_a_try:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    answer = await operation(self._redis)
            except REDIS_ERRORS as error:  # the time limit's own is an OSError
                redis_outage.failed("rates are counted by each process", error)
            else:
                redis_outage.answered()
                return answer
        if len(self._memory.storage) > _MOST_IN_MEMORY:
            # Each hit looks through all of them for what is over: rather forgotten than slow.
            self._memory = MemoryStorage()
        return await operation(self._memory)

    async def _wait_seconds(
        self, allows: Callable[..., Awaitable[bool]], rate: Rate, who: tuple[str, ...]
    ) -> float:
        """0 if every part of the rate allows it, else how many seconds later all do."""

        async def look(storage: Storage) -> float:
            limiter, wait_seconds = SlidingWindowCounterRateLimiter(storage), 0.0
            for item in rate.items:
                if not await allows(limiter, item, rate.setting, *who):
                    wait_seconds = max(wait_seconds, await _until_reset(limiter, item, rate, who))
            return wait_seconds

        return await self.ask(look) if rate.items else 0.0


def too_often(rate: Rate, what: str, wait_seconds: float) -> LimitExceededError:
    """The error for whoever has to wait.

    Args:
        rate: The rate that was passed.
        what: The first words of the message.
        wait_seconds: For how long.
    """
    return LimitExceededError(
        f"{what} (allowed: {rate}): try again in {in_words(wait_seconds)}.",
        limit=rate.setting,
        wait_seconds=wait_seconds,
    )


def in_words(seconds: float) -> str:
    """A time to wait, rounded up."""
    whole = max(1, math.ceil(seconds))
    return "1 second" if whole == 1 else f"{whole} seconds"


async def _until_reset(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, rate: Rate, who: Sequence[str]
) -> float:
    stats = await limiter.get_window_stats(item, rate.setting, *who)
    return max(1.0, stats.reset_time - time.time())
