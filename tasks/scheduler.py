"""What a worker does when the doorbell rings: whose turn it is, claim, work, and look for more."""

import logging
import time

from domain.analyses.advances import claim_advance
from domain.analyses.claims import claim_segment, has_claimable_segment
from domain.analyses.scheduling import Turn, WorkKind, next_turn, note_turn
from domain.outages import is_outage, reason
from domain.videos.service import claim_probe
from tasks.process.errors import ProcessDiedError
from tasks.process.pool import AnalysisProcess
from tasks.runtime import Runtime
from tasks.steps.advance import advance_step
from tasks.steps.detect import detect_step
from tasks.steps.guarded import LostClaimError
from tasks.steps.probe import probe_step

log = logging.getLogger(__name__)

TURN_SECONDS = 60.0
"""After so long a message hands over to a new one, so that none stays unacknowledged for ever."""

_CLAIM_TRIES = 5


async def work_until_done(runtime: Runtime) -> None:
    """Claim and do one piece of work after the other until there is none, or the turn is over."""
    turn_ends = time.monotonic() + TURN_SECONDS
    is_first = True
    while not runtime.is_stopping and not runtime.is_held:
        try:
            if not await _work_once(runtime, fan_out=is_first):
                return
        except Exception as error:
            if not is_outage(error):
                raise
            log.debug("no work while the database is away: %s", reason(error))
            return
        is_first = False
        if time.monotonic() >= turn_ends:
            await runtime.ring()
            return


async def _work_once(runtime: Runtime, *, fan_out: bool) -> bool:
    """Do one piece of work; False when there is none. `fan_out` wakes another slot if there is more."""
    try:
        async with runtime.pool.process() as process:
            return await _claim_and_run(runtime, process, fan_out=fan_out)
    except (LostClaimError, ProcessDiedError) as error:
        # The step has recorded what happened; leaving the block by the error stopped or replaced the process.
        log.debug("a piece of work ended early: %r", error)
        return True


async def _claim_and_run(runtime: Runtime, process: AnalysisProcess, *, fan_out: bool) -> bool:
    for _ in range(_CLAIM_TRIES):
        turn = await next_turn(runtime.settings.max_slots_per_user)
        if turn is None or runtime.is_stopping:
            return False
        if await _take_turn(runtime, process, turn, fan_out=fan_out):
            return True
    return False


async def _take_turn(runtime: Runtime, process: AnalysisProcess, turn: Turn, *, fan_out: bool) -> bool:
    """Claim a piece of that work and do it; False when others were quicker."""
    settings = runtime.settings
    if turn.kind is WorkKind.PROBE:
        if (probe := await claim_probe(turn.owner_id, settings.lease_seconds)) is None:
            return False
        await note_turn(turn.owner_id)
        if fan_out:
            await runtime.ring()
        await probe_step(runtime, process, *probe)
    elif turn.kind is WorkKind.ADVANCE:
        if (advance := await claim_advance(turn.owner_id, settings.lease_seconds)) is None:
            return False
        await note_turn(turn.owner_id)
        await advance_step(runtime, process, *advance)
    else:
        segment = await claim_segment(settings.lease_seconds, settings.max_slots_per_user)
        if segment is None:
            return False
        await note_turn(segment.analysis.owner_id)
        if fan_out and await has_claimable_segment():
            await runtime.ring()
        await detect_step(runtime, process, segment)
    return True
