"""The doorbell: a Dramatiq message says that there is work, the database says which."""

import logging

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries
from dramatiq.middleware.asyncio import AsyncIO

log = logging.getLogger(__name__)

QUEUE = "work"
HEARTBEAT_TIMEOUT_MILLISECONDS = 10_000


def make_broker(redis_url: str) -> RedisBroker:
    """The broker, declared as Dramatiq's own.

    There is no time limit and no age limit: a message stands for no particular work, leases guard that.
    Work that a dead worker held is found by the sweeper; `maintenance_chance` brings its message back too.
    """
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        url=redis_url,
        middleware=[AsyncIO(), Retries(max_retries=0)],
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MILLISECONDS,
        maintenance_chance=1_000_000,
    )
    dramatiq.set_broker(broker)
    return broker
