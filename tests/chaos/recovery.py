"""From a kill to work resumed: what counts as resumed, and how long it took.

- **analysis process, worker, server**: as many pieces of work as were held before the kill are held by
  somebody who claimed or renewed them after it, and at least one was claimed after it. Where less is left to
  do than that, all of what is held shows life and nothing waits.
- **API**: `/healthz` answers 200.
- **Valkey**: it answers PING, and a message of progress comes through it while there is work.
- **PostgreSQL**: it answers, and a claim or renewal was written after the kill.

Several at once have recovered when each of them has. The clock starts with the (last) kill.
"""

import asyncio
import time
from collections.abc import Callable

import httpx
import redis.asyncio
from redis.exceptions import RedisError

from domain.analyses.progress import CHANNEL_PREFIX
from tests.chaos.processes import Kind
from tests.chaos.sampler import SAMPLE_SECONDS, Sample, Sampler
from tests.chaos.server import ChaosServer

LONGEST_SECONDS = 60.0


class Recovery:
    """Watches a server come back.

    Args:
        server: The server.
        sampler: Samples its database.
        slots: Most pieces of work that are held at once.
    """

    def __init__(self, server: ChaosServer, sampler: Sampler, slots: int) -> None:
        self._server = server
        self._sampler = sampler
        self._slots = slots

    async def seconds(self, kinds: set[Kind], killed_at: float, held: int) -> float | None:
        """How long after `killed_at` everything has recovered; None when it has not within a minute.

        Args:
            kinds: What was killed.
            killed_at: When, by `time.monotonic`.
            held: How many pieces of work were held just before.
        """
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                after = await self._first_sample()
                await asyncio.gather(
                    *(self._recovered(kind, after, min(held, self._slots)) for kind in kinds)
                )
        except TimeoutError:
            return None
        return time.monotonic() - killed_at

    async def _first_sample(self) -> Sample:
        """How things stood when they could first be read after the kill."""
        while (sample := await self._sampler.sample()) is None:
            await asyncio.sleep(SAMPLE_SECONDS)
        return sample

    async def _recovered(self, kind: Kind, after: Sample, held: int) -> None:
        if kind in (Kind.API, Kind.SERVER):
            await self._api_answers()
        if kind is Kind.VALKEY:
            await self._valkey_delivers()
        elif kind is Kind.POSTGRES:
            await self._until(lambda now: now.alive_since(after) > 0 or _is_idle(now))
        elif kind is not Kind.API:
            await self._until(lambda now: _works_again(now, after, held))

    async def _until(self, condition: Callable[[Sample], bool]) -> None:
        while True:
            now = await self._sampler.sample()
            if now is not None and condition(now):
                return
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _api_answers(self) -> None:
        async with httpx.AsyncClient(timeout=5) as http:
            while True:
                try:
                    if (await http.get(f"{self._server.url}/healthz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.02)

    async def _valkey_delivers(self) -> None:
        while True:
            client = redis.asyncio.Redis.from_url(self._server.valkey_url, socket_timeout=2)
            try:
                if await client.ping() and await self._delivers(client):
                    return
            except (RedisError, OSError):
                pass
            finally:
                await client.aclose()
            await asyncio.sleep(0.02)

    async def _delivers(self, client: redis.asyncio.Redis) -> bool:
        pubsub = client.pubsub()
        try:
            await pubsub.psubscribe(f"{CHANNEL_PREFIX}*")
            while not _is_idle(self._sampler.latest):
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.05)
                if message is not None:
                    return True
            return True
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


def _works_again(now: Sample, after: Sample, held: int) -> bool:
    alive = now.alive_since(after)
    if alive >= held and (held == 0 or now.claimed_since(after)):
        return True
    return now.claimable == 0 and alive == len(now.leases)


def _is_idle(now: Sample) -> bool:
    return not now.leases and now.claimable == 0
