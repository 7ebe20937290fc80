"""Writes events from a process of its own: python event_writer.py DATABASE_URL OWNER_ID SEED TRANSACTIONS

Four tasks at once, each transaction of one or two events; about a third of them is rolled back. Prints how many
events were committed.
"""

import asyncio
import random
import sys
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connect, disconnect
from domain.events import EventKind, record_event


class _ChangedMindError(Exception):
    pass


async def write(owner_id: UUID, chance: random.Random, transactions: int) -> int:
    committed = 0
    for _ in range(transactions):
        events = chance.choice((1, 1, 2))
        try:
            async with in_transaction() as connection:
                for _ in range(events):
                    await record_event(connection, owner_id, EventKind.ANALYSIS_QUEUED)
                    await asyncio.sleep(chance.choice((0, 0.002)))
                if chance.random() < 0.35:
                    raise _ChangedMindError
        except _ChangedMindError:
            continue
        committed += events
        await asyncio.sleep(chance.choice((0, 0.004)))
    return committed


async def main(database_url: str, owner_id: str, seed: str, transactions: str) -> None:
    await connect(database_url)
    try:
        tasks = [
            write(UUID(owner_id), random.Random(f"{seed}.{task}"), int(transactions)) for task in range(4)
        ]
        sys.stdout.write(f"{sum(await asyncio.gather(*tasks))}\n")
    finally:
        await disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
