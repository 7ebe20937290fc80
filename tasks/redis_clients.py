"""Clients of Redis or Valkey that never wait for long, and whether it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from domain.outages import OutageLog

REDIS_ERRORS = (RedisError, OSError)

redis_outage = OutageLog("Redis")

_NOWHERE_IN_PARTICULAR = "redis://"
"""For programs that import the tasks without running them; the commands insist on a URL."""
_COURTESY_SECONDS = 0.5
_OPTIONS: dict[str, Any] = {
    # One that hangs must not hold its callers; none of our calls waits for something to happen.
    "socket_timeout": 2.0,
    "socket_connect_timeout": 2.0,
    "health_check_interval": 15,
}
# A connection from before a restart fails once; what takes too long is not worth the same time again.
_RETRIED = (RedisConnectionError,)


async def try_redis(what: str, operation: Callable[[], Awaitable[object]]) -> bool:
    """Do something that may be left undone; a Redis that is away costs next to no time.

    Args:
        what: Stands in the log, beside that Redis is away.
        operation: Is cut off after half a second.
    """
    if not redis_outage.is_worth_a_try:
        return False
    try:
        async with asyncio.timeout(_COURTESY_SECONDS):
            await operation()
    except REDIS_ERRORS as error:  # the time limit's own is an OSError
        redis_outage.failed(what, error)
        return False
    redis_outage.answered()
    return True


def connect_redis(url: str) -> redis.asyncio.Redis:
    """A client for an event loop; it connects on first use, and again whenever that is lost."""
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=_RETRIED)
    return redis.asyncio.Redis.from_url(url or _NOWHERE_IN_PARTICULAR, retry=retry, **_OPTIONS)


def connect_redis_blocking(url: str) -> redis.Redis:
    """A client for threads; it connects on first use, and again whenever that is lost."""
    retry = Retry(NoBackoff(), 1, supported_errors=_RETRIED)
    return redis.Redis.from_url(url or _NOWHERE_IN_PARTICULAR, retry=retry, **_OPTIONS)
