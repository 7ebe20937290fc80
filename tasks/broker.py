"""The doorbell: a Dramatiq message says that there is work, the database says which."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import dramatiq
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.broker import MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import BrokerError
from dramatiq.middleware import Retries
from dramatiq.middleware.asyncio import AsyncIO
from typing_extensions import override

from tasks.redis_clients import REDIS_ERRORS, connect_redis_blocking, redis_outage

QUEUE = "work"
HEARTBEAT_TIMEOUT_MILLISECONDS = 10_000

BROKER_ERRORS = (BrokerError, *REDIS_ERRORS)

_PAUSE_SECONDS = 0.5


def make_broker(redis_url: str) -> RedisBroker:
    """The broker, declared as Dramatiq's own.

    There is no time limit and no age limit: a message stands for no particular work, leases guard that.
    Work that a dead worker held is found by the sweeper; `maintenance_chance` brings its message back too.
    """
    broker = DoorbellBroker(  # type: ignore[no-untyped-call]
        client=connect_redis_blocking(redis_url),
        middleware=[LoopThread(), Retries(max_retries=0)],
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MILLISECONDS,
        maintenance_chance=1_000_000,
    )
    dramatiq.set_broker(broker)
    return broker


class LoopThread(AsyncIO):
    """Dramatiq's event loop, or the one that runs already."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start it if it does not run."""
        if get_event_loop_thread() is None:
            super().before_worker_boot(broker, worker)  # type: ignore[no-untyped-call]


class DoorbellBroker(RedisBroker):
    """Dramatiq's broker, whose consumers wait for a Redis that is away instead of ending.

    Dramatiq's own start again after three seconds with two lines in the log each time, and let a thread that
    cannot acknowledge its message try for ever, so that its slot does nothing else.
    """

    @property
    @override
    def consumer_class(self) -> type["PatientConsumer"]:
        return PatientConsumer

    def do_fetch(self, *arguments: Any) -> list[bytes]:
        """Ask for messages; found by its name where the base class would make it up."""
        messages: list[bytes] = self._dispatch("fetch")(*arguments)  # type: ignore[no-untyped-call]
        redis_outage.answered()
        return messages


class PatientConsumer(_RedisConsumer):
    """Hands out messages, and none while Redis is away."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        self._done: deque[str] = deque()
        """Messages to acknowledge when Redis is back."""

    @override
    def __next__(self) -> MessageProxy | None:
        try:
            self._acknowledge()
            message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        except BROKER_ERRORS as error:
            redis_outage.failed("the doorbell", error)
            time.sleep(_PAUSE_SECONDS)
            return None
        return message

    @override
    def ack(self, message: MessageProxy) -> None:
        self.queued_message_ids.discard(message.message_id)
        self._done.append(message.options["redis_message_id"])
        if redis_outage.is_worth_a_try:
            try:
                self._acknowledge()
            except BROKER_ERRORS as error:
                redis_outage.failed("the doorbell", error)

    @override
    def nack(self, message: MessageProxy) -> None:
        # A queue of failed messages would be of no use to anybody: they say only that there is work.
        self.ack(message)

    @override
    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        if redis_outage.is_on:
            return
        try:
            super().requeue(messages)  # type: ignore[no-untyped-call]
        except BROKER_ERRORS as error:
            redis_outage.failed("the doorbell", error)

    def _acknowledge(self) -> None:
        while self._done:
            message_id = self._done.popleft()
            try:
                self.broker.do_ack(self.queue_name, message_id)
            except BROKER_ERRORS:
                self._done.append(message_id)
                raise
