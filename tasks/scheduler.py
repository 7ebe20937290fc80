"""What a worker does when the doorbell rings: claim, work, and look for more."""

import asyncio
import logging
import time

from domain.analyses.claims import (
    claim_advance,
    claim_segment,
    has_claimable_segment,
    sweep_expired,
)
from domain.analyses.service import fail_analysis
from domain.videos.service import claim_probe, sweep_expired_probes
from tasks.process.pool import AnalysisProcess, ProcessDiedError
from tasks.progress import push_progress
from tasks.runtime import Runtime
from tasks.steps.advance import advance_step
from tasks.steps.detect import detect_step
from tasks.steps.guarded import LostClaimError
from tasks.steps.probe import probe_step

log = logging.getLogger(__name__)

TURN_SECONDS = 60.0
"""After so long a message hands over to a new one, so that none stays unacknowledged for ever."""

SWEEP_SECONDS = 2.0


async def work_until_done(runtime: Runtime) -> None:
    """Claim and do one piece of work after the other until there is none, or the turn is over."""
    turn_ends = time.monotonic() + TURN_SECONDS
    is_first = True
    while not runtime.is_stopping:
        if not await _work_once(runtime, fan_out=is_first):
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
        # The step has recorded what happened; leaving the block by the error replaced the process.
        log.debug("a piece of work ended early: %r", error)
        return True


async def _claim_and_run(runtime: Runtime, process: AnalysisProcess, *, fan_out: bool) -> bool:
    lease_seconds = runtime.settings.lease_seconds
    if (probe := await claim_probe(lease_seconds)) is not None:
        if fan_out:
            await runtime.ring()
        lease, video = probe
        await probe_step(runtime, process, lease, video)
        return True
    if (advance := await claim_advance(lease_seconds)) is not None:
        await advance_step(runtime, process, *advance)
        return True
    if (segment := await claim_segment(lease_seconds)) is not None:
        if fan_out and await has_claimable_segment():
            await runtime.ring()
        await detect_step(runtime, process, segment)
        return True
    return False


async def sweep(runtime: Runtime) -> None:
    """Free what silent workers held, end what was tried too often, and ring for what waits."""
    for analysis_id in await sweep_expired(runtime.settings.max_attempts):
        attempts = runtime.settings.max_attempts
        await fail_analysis(analysis_id, f"Its worker went silent {attempts} times; see the server's log.")
        await push_progress(runtime, analysis_id, now=True)
    await sweep_expired_probes(time.time())
    if runtime.pool.has_idle:
        await runtime.ring()


async def sweep_for_ever(runtime: Runtime) -> None:
    """Sweep every `SWEEP_SECONDS`, whatever happens: a ring that was lost delays work by no more."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await sweep(runtime)
        except Exception:
            log.exception("the sweep failed; the next one follows")
