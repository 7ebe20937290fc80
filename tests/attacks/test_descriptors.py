"""More connections than the process has descriptors for."""

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.attacks.size import IS_FULL
from tests.attacks.target import Target, running_target
from tests.attacks.wire import GONE, Socket, Wire, head, one_answer, open_socket, post, text_frame
from tests.outages import PrivateValkey

QUERY = b'{"query": "{ me { username } }"}'


async def connections(target: Target, count: int, stack: AsyncExitStack) -> list[Wire]:
    wires = []
    for _ in range(count):
        wire = Wire(*await asyncio.open_connection(target.host, target.port))
        stack.callback(wire.drop)
        wires.append(wire)
    return wires


async def is_answered(target: Target) -> bool:
    """Whether somebody who comes now gets what he asks for, at the latest at the third try."""
    for _ in range(3):
        answer = await one_answer(target, post(target, QUERY))
        if answer is not None and answer.status == 200:
            return True
    return False


async def test_silent_connections(target: Target) -> None:
    """They make room for whoever asks for something: old clients and new ones are answered, files opened."""
    async with target.under_attack("silent connections, all descriptors"), AsyncExitStack() as stack:
        for _ in range(3):
            await connections(target, 500, stack)
            assert await is_answered(target)
        for path in ("/graphql", "/static/nothing", "/healthz"):
            answer = await one_answer(target, head("GET", path, "Accept: text/html"))
            assert answer is not None
            assert answer.status in (200, 404), answer


async def test_silent_sockets(target: Target) -> None:
    """WebSockets that have not said who they are make room, too."""
    async with target.under_attack("silent sockets, all descriptors"), AsyncExitStack() as stack:
        found: Counter[str] = Counter()
        for _ in range(1_300):
            try:
                await stack.enter_async_context(open_socket(target, init=False))
                found["open"] += 1
            except GONE:
                found["refused"] += 1
            if sum(found.values()) % 100 == 0:
                assert await is_answered(target), found
        assert found["open"] >= 800, found


async def test_the_server_idles_when_descriptors_are_used_up(target: Target) -> None:
    """Accepting again and again what cannot be accepted would take a whole core."""
    async with target.under_attack("descriptors used up, at rest"), AsyncExitStack() as stack:
        opened: Counter[str] = Counter()
        for _ in range(1_100):
            try:
                await stack.enter_async_context(open_socket(target, signed_in=False))
                opened["open"] += 1
            except GONE:
                opened["refused"] += 1
        before = target.ask_meter("report")["cpu_seconds"]
        await asyncio.sleep(2)
        used = target.ask_meter("report")["cpu_seconds"] - before
        assert used < 1.5, used
        assert await is_answered(target), opened


@pytest.mark.skipif(not IS_FULL, reason="10,000 sockets: make chaos CHAOS=attacks")
async def test_ten_thousand_sockets(tmp_path, attacked_valkey: PrivateValkey) -> None:
    """Idle, as many as there are descriptors for; beyond, somebody must go."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 500)
    with running_target(tmp_path, attacked_valkey.url, descriptors=count + 500) as target:
        # How much memory is given back to the system when they have gone is a matter of luck, so what Python
        # has in use is counted after the first time.
        async with idle_sockets(target, count):
            pass
        blocks = target.ask_meter("holdings")["blocks"]
        for number in (2, 3):
            async with (
                target.under_attack(f"{count} idle sockets, time {number}", grown_bytes=320 * 2**20),
                idle_sockets(target, count) as socket,
            ):
                assert await is_answered(target)
                await socket.send(text_frame({"type": "ping"}))
                assert (await socket.message())["type"] == "pong"
                await asyncio.sleep(2)
        assert target.ask_meter("holdings")["blocks"] - blocks < 3 * count


@asynccontextmanager
async def idle_sockets(target: Target, count: int) -> AsyncIterator[Socket]:
    """So many; gives the last of them. They come and go a hundred at a time."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 2)
        for _ in range(count // 100):
            stack.push_async_callback(asyncio.sleep, 0.02)
            opening = [open_socket(target, signed_in=False) for _ in range(100)]
            sockets = await asyncio.gather(*(stack.enter_async_context(one) for one in opening))
        yield sockets[-1]
