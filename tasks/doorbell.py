"""Telling workers that there is work."""

import asyncio
import logging

import dramatiq
from dramatiq.errors import BrokerError
from redis.exceptions import RedisError

from tasks.broker import QUEUE

log = logging.getLogger(__name__)


async def ring() -> None:
    """Wake one idle slot of any worker.

    A ring that cannot be sent is no loss: the work lies in the database, where a sweeper finds it.
    """
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=QUEUE, actor_name="work", args=(), kwargs={}, options={}
    )
    try:
        await asyncio.to_thread(dramatiq.get_broker().enqueue, message)
    except (BrokerError, RedisError, OSError) as error:
        log.warning("the doorbell did not ring: %s", error)
