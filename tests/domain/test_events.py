"""The event log: its numbers under concurrency, reading on from a number, and pruning."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.events import (
    Event,
    EventKind,
    EventSpan,
    EventsUnavailableError,
    event_span,
    newest_numbers,
    prune_events,
    read_events,
    record_event,
)

REPOSITORY = Path(__file__).resolve().parents[2]


async def _owner(name="ada"):
    return await User.create(id=uuid4(), username=name, username_key=name, password_hash="x")


async def _record(owner_id, count=1, age_days=0.0):
    for _ in range(count):
        async with in_transaction() as connection:
            await record_event(connection, owner_id, EventKind.VIDEO_READY, video_id=uuid4())
    if age_days:
        span = await event_span(owner_id)
        await Event.filter(owner_id=owner_id, number__gt=span.newest - count).update(
            created_at=datetime.now(UTC) - timedelta(days=age_days)
        )


async def _numbers(owner_id, after=None, limit=1000):
    return [event.number for event in await read_events(owner_id, after, limit)]


async def _start_writer(database_url, owner_id, seed):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.domain.event_writer", database_url, str(owner_id), str(seed), "15",
        cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_numbers_are_contiguous_and_no_reader_misses_or_doubles_one(database):
    ada, bob = await _owner("ada"), await _owner("bob")
    writers = [(ada, await _start_writer(database, ada.id, seed)) for seed in (1, 2)]
    writers.append((bob, await _start_writer(database, bob.id, 3)))
    ended = asyncio.gather(*(writer.communicate() for _, writer in writers))
    seen = {ada.id: [], bob.id: []}
    rounds_with_news = 0
    while True:
        was_last_round = ended.done()
        for owner_id, numbers in seen.items():
            news = await _numbers(owner_id, numbers[-1] if numbers else 0, limit=5)
            numbers += news
            rounds_with_news += bool(news)
            was_last_round = was_last_round and not news
        if was_last_round:
            break
        await asyncio.sleep(0.002)
    committed = {ada.id: 0, bob.id: 0}
    for (owner, writer), (output, _) in zip(writers, await ended, strict=True):
        assert writer.returncode == 0
        committed[owner.id] += int(output)
    assert rounds_with_news > 20, "the reader read while they wrote"
    for owner_id, numbers in seen.items():
        assert committed[owner_id] > 20
        assert numbers == list(range(1, committed[owner_id] + 1))
    assert await newest_numbers([ada.id, bob.id, uuid4()]) == committed


async def test_what_is_rolled_back_takes_no_number(database):
    owner = await _owner()
    await _record(owner.id)
    transaction = in_transaction()
    connection = await transaction.__aenter__()
    await record_event(connection, owner.id, EventKind.VIDEO_READY)
    await transaction.__aexit__(RuntimeError, RuntimeError(), None)
    await _record(owner.id)
    assert await _numbers(owner.id) == [1, 2]
    assert await event_span(owner.id) == EventSpan(1, 2)


async def test_an_event_of_a_deleted_account_is_dropped(database):
    async with in_transaction() as connection:
        await record_event(connection, uuid4(), EventKind.VIDEO_READY)
    assert await Event.all().count() == 0
    assert await event_span(uuid4()) is None
    assert await read_events(uuid4(), 0, 10) == []


async def test_reading_goes_on_after_a_number_in_pages(database):
    owner, other = await _owner("ada"), await _owner("bob")
    await _record(owner.id, 5)
    await _record(other.id, 2)
    assert await _numbers(owner.id, limit=3) == [1, 2, 3]
    assert await _numbers(owner.id, 3) == [4, 5]
    assert await _numbers(owner.id, 5) == []
    assert await _numbers(other.id, 0) == [1, 2]


async def test_pruning_leaves_the_newest_and_their_numbers(database):
    owner, other = await _owner("ada"), await _owner("bob")
    await _record(owner.id, 3, age_days=31)
    await _record(owner.id, 2)
    await _record(other.id, 2)
    assert await prune_events(30) == 3
    assert await prune_events(30) == 0
    assert await _numbers(owner.id) == [4, 5]
    assert await _numbers(owner.id, 3) == [4, 5]
    assert await event_span(owner.id) == EventSpan(4, 5)
    assert await _numbers(other.id) == [1, 2]


async def test_pruning_leaves_no_gap_where_clocks_disagree(database):
    owner = await _owner()
    await _record(owner.id, 1, age_days=31)
    await _record(owner.id, 1, age_days=29)
    await _record(owner.id, 1, age_days=31)
    await _record(owner.id, 1)
    await prune_events(30)
    assert await _numbers(owner.id) == [4]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_reader_who_comes_too_late_is_told_where_to_go_on(database, after):
    owner = await _owner()
    await _record(owner.id, 3, age_days=31)
    await _record(owner.id, 2)
    await prune_events(30)
    with pytest.raises(EventsUnavailableError) as refused:
        await read_events(owner.id, after, 10)
    assert refused.value.span == EventSpan(4, 5)
    assert refused.value.message == (
        "Your events before number 4 are no longer kept. "
        'Read the present state, then go on with `after: "3"`.'
    )
    assert await _numbers(owner.id, 3) == [4, 5]


async def test_numbers_go_on_where_nothing_is_left(database):
    owner = await _owner()
    await _record(owner.id, 3, age_days=31)
    await prune_events(30)
    assert await event_span(owner.id) == EventSpan(4, 3)
    assert await _numbers(owner.id) == []
    assert await _numbers(owner.id, 3) == []
    with pytest.raises(EventsUnavailableError, match='after: "3"'):
        await read_events(owner.id, 2, 10)
    await _record(owner.id)
    assert await _numbers(owner.id, 3) == [4]


async def test_a_number_that_is_not_there_yet_is_an_error(database):
    owner = await _owner()
    await _record(owner.id, 2)
    with pytest.raises(EventsUnavailableError) as refused:
        await read_events(owner.id, 3, 10)
    assert refused.value.span == EventSpan(1, 2)
    assert refused.value.message.startswith("There is no event 3: your newest is 2.")
    assert 'after: "2"' in refused.value.message


async def test_what_an_event_says(database):
    owner, video_id, analysis_id = await _owner(), uuid4(), uuid4()
    async with in_transaction() as connection:
        await record_event(
            connection, owner.id, EventKind.ANALYSIS_FAILED,
            video_id=video_id, analysis_id=analysis_id, message="It crashed with signal 11.",
        )  # fmt: skip
    (event,) = await read_events(owner.id, 0, 10)
    assert (event.number, event.kind, event.message) == (
        1, EventKind.ANALYSIS_FAILED, "It crashed with signal 11.",
    )  # fmt: skip
    assert (UUID(str(event.video_id)), UUID(str(event.analysis_id))) == (video_id, analysis_id)
