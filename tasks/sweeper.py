"""Freeing what silent workers held, and ringing for what waits: every worker's pulse."""

import asyncio
import logging
import time

from domain.analyses.status import fail_analysis
from domain.analyses.sweeping import expire_dead_leases, sweep_expired
from domain.duties import take_duty
from domain.holders import this_process
from domain.leases import VANISHED
from domain.outages import database_outage, is_outage
from domain.videos.service import reject_video, sweep_expired_probes
from tasks.health import storage_problem
from tasks.progress import push_progress
from tasks.runtime import Runtime
from tasks.steps.outcome import RESTART_HELPS

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
_DUTY_SECONDS = 10.0


class Sweeper:
    """Sweeps now and again: one worker at a time for expired leases, each for dead processes beside it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._not_before = 0.0

    async def sweep_for_ever(self) -> None:
        """Sweep every `SWEEP_SECONDS`, whatever happens: a ring that was lost delays work by no more."""
        while True:
            try:
                await self.sweep()
                database_outage.answered()
            except Exception as error:
                if not is_outage(error):
                    log.exception("the sweep failed; the next one follows")
                else:
                    self._note_outage(error)
            await asyncio.sleep(SWEEP_SECONDS)

    def _note_outage(self, error: Exception) -> None:
        # While the database was away nobody could renew a lease: their holders get the time to do it first.
        self._not_before = time.monotonic() + self._runtime.settings.lease_seconds
        database_outage.failed("nobody sweeps", error)

    async def sweep(self) -> None:
        """Free what dead and silent workers held, end what was interrupted too often, ring for what waits."""
        runtime = self._runtime
        await expire_dead_leases()
        if time.monotonic() >= self._not_before and await take_duty("sweep", this_process(), _DUTY_SECONDS):
            await self._free_expired()
        if not runtime.is_held:
            await self._look_at_storage()
        if runtime.pool.has_idle and not runtime.is_held:
            await runtime.ring()

    async def _free_expired(self) -> None:
        runtime, patience = self._runtime, self._runtime.patience
        told = f"was interrupted {patience.max_interruptions} times: {VANISHED}."
        for analysis_id in await sweep_expired(patience):
            await fail_analysis(analysis_id, f"The work {told} {RESTART_HELPS}")
            await push_progress(runtime, analysis_id, now=True)
        for lease in await sweep_expired_probes(patience.max_interruptions):
            await reject_video(lease, f"Taking in the file {told} Send it again.")

    async def _look_at_storage(self) -> None:
        runtime = self._runtime
        problem = await storage_problem(runtime.storage, runtime.settings.min_free_bytes)
        if problem is not None:
            if runtime.problem is None:
                log.warning("waiting: %s", problem)
            runtime.hold(problem)
        elif runtime.problem is not None:
            log.info("going on: storage works again")
            runtime.problem = None
