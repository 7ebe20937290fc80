"""Fetching videos from URLs beside all other work: it waits for the network and needs no slot."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from domain.leases import Lease
from domain.outages import is_outage
from domain.videos.imports import claim_import
from domain.videos.models import Video
from tasks.runtime import Runtime
from tasks.steps.fetch import fetch_step
from tasks.steps.guarded import LostClaimError

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Downloads of one worker at the same time."""

AT_ONCE_PER_USER = 4
"""Of one account, on all workers together: some slow servers must not keep others' videos waiting."""

LOOK_SECONDS = 1.0
"""How often a worker looks for imports that wait."""

Fetch = Callable[[Runtime, Lease, Video], Awaitable[None]]


class Importer:
    """Looks for imports that wait, and runs some of them at once."""

    def __init__(self, runtime: Runtime, fetch: Fetch = fetch_step) -> None:
        self._runtime = runtime
        self._fetch = fetch
        self._running: set[asyncio.Task[None]] = set()

    async def import_for_ever(self) -> None:
        """Take up what waits, whatever happens; when this is cancelled, what runs is given back."""
        try:
            while True:
                try:
                    while await self.take_up():
                        pass
                except Exception as error:
                    if is_outage(error):
                        log.debug("no imports while the database is away: %s", error)
                    else:
                        log.exception("looking for imports failed; it is tried again")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def take_up(self) -> bool:
        """Begin one import; False if none waits or as many run as may."""
        runtime = self._runtime
        if len(self._running) >= AT_ONCE or runtime.is_held or runtime.is_stopping:
            return False
        claim = await claim_import(runtime.settings.lease_seconds, AT_ONCE_PER_USER)
        if claim is None:
            return False
        task = asyncio.create_task(self._run(*claim))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def finish(self) -> None:
        """Wait for what runs."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, lease: Lease, video: Video) -> None:
        try:
            await self._fetch(self._runtime, lease, video)
        except LostClaimError:
            log.debug("an import ended early: video %s", video.id)
        except Exception as error:
            # Its lease runs out, and it is taken up again.
            if not is_outage(error):
                log.exception("fetching video %s failed", video.id)
