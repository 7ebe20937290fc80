"""Whose turn it is: on SQLite and PostgreSQL."""

import asyncio

from domain.accounts.models import User
from domain.analyses import claims
from domain.analyses.models import Analysis
from domain.analyses.scheduling import Turn, WorkKind, next_turn, note_turn
from domain.videos.service import claim_probe
from tests.domain.analyses.rows import LEASE_SECONDS, advance, claim, make_analysis, make_user, upload


async def serve(turn: Turn | None) -> Turn:
    """Claim what the turn says, as a worker does."""
    assert turn is not None
    if turn.kind is WorkKind.PROBE:
        assert await claim_probe(turn.owner_id, LEASE_SECONDS) is not None
    elif turn.kind is WorkKind.ADVANCE:
        await advance(await User.get(id=turn.owner_id))
    else:
        claimed = await claim()
        assert claimed.analysis.owner_id == turn.owner_id
    await note_turn(turn.owner_id)
    return turn


async def test_without_work_it_is_nobodys_turn(database: str) -> None:
    await make_user()
    assert await next_turn() is None


async def test_many_uploads_of_one_account_hold_up_no_other(database: str) -> None:
    busy, other = await make_user("busy"), await make_user("other")
    for _ in range(20):
        await upload(busy)
    await make_analysis(other, segments=3)
    await upload(other)
    turns = [await serve(await next_turn()) for _ in range(4)]
    assert [turn.owner_id for turn in turns] == [busy.id, other.id, busy.id, other.id]
    assert [turn.kind for turn in turns if turn.owner_id == other.id] == [WorkKind.PROBE, WorkKind.SEGMENT]


async def test_on_a_single_slot_owners_take_turns(database: str) -> None:
    busy, other = await make_user("busy"), await make_user("other")
    for _ in range(5):
        await make_analysis(busy, segments=4, priority=100)
    single = await make_analysis(other, segments=2)
    served = []
    for _ in range(4):
        turn = await next_turn()
        assert turn is not None
        claimed = await claim()
        await note_turn(claimed.analysis.owner_id)
        served.append(claimed.analysis.owner_id)
        await claims.finish_segment(claimed.lease, 5, {})
        await Analysis.filter(id=claimed.analysis.id).update(advance_due=False)
    assert served.count(single.owner_id) == 2
    assert single.owner_id in served[:2]


async def test_an_account_runs_no_more_than_it_may(database: str) -> None:
    owner, other = await make_user(), await make_user("other")
    await make_analysis(owner, segments=5)
    for _ in range(2):
        assert await claims.claim_segment(LEASE_SECONDS, max_slots_per_user=2) is not None
    assert await next_turn(max_slots_per_user=2) is None
    assert await claims.claim_segment(LEASE_SECONDS, max_slots_per_user=2) is None
    assert await next_turn() is not None
    await make_analysis(other, segments=1)
    turn = await next_turn(max_slots_per_user=2)
    assert turn is not None
    assert turn.owner_id == other.id


async def test_accounts_ask_at_once_and_each_piece_is_taken_once(database: str) -> None:
    for name in ("ada", "bob", "eve"):
        await make_analysis(await make_user(name), segments=4)

    async def slot() -> list[str]:
        taken = []
        while (turn := await next_turn()) is not None:
            claimed = await claims.claim_segment(LEASE_SECONDS)
            if claimed is not None:
                taken.append(str(claimed.segment.id))
                await note_turn(turn.owner_id)
        return taken

    taken = [piece for pieces in await asyncio.gather(*(slot() for _ in range(4))) for piece in pieces]
    assert len(taken) == len(set(taken)) == 12
