"""Telling workers that there is work."""

import asyncio

import dramatiq

from tasks.broker import BROKER_ERRORS, QUEUE
from tasks.redis_clients import redis_outage


async def ring() -> bool:
    """Wake one idle slot of any worker; whether that could be told.

    A ring that cannot be sent is no loss: the work lies in the database, where a sweeper finds it.
    """
    if not redis_outage.is_worth_a_try:
        return False
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=QUEUE, actor_name="work", args=(), kwargs={}, options={}
    )
    try:
        await asyncio.to_thread(dramatiq.get_broker().enqueue, message)
    except BROKER_ERRORS as error:
        redis_outage.failed("the doorbell", error)
        return False
    redis_outage.answered()
    return True
