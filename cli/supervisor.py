"""Starts the processes of a server in order, keeps them running, and stops them in order."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cli.children import Backoff, Child, ChildSpec, EventCallback, LineCallback
from cli.errors import ServeError

MOST_DEATHS_BEFORE_READY = 3
STOP_GRACE_SECONDS = 3.5
FOUNDATION_GRACE_SECONDS = 0.8


@dataclass(frozen=True)
class Plan:
    """What a server consists of.

    Args:
        foundation: Ready before anything else starts, stopped when all else has stopped.
        preparation: Run once, to their end, in order; one that fails ends the start.
        services: Started together after that, stopped together.
    """

    foundation: tuple[ChildSpec, ...] = ()
    preparation: tuple[ChildSpec, ...] = ()
    services: tuple[ChildSpec, ...] = ()


class Supervisor:
    """Runs a `Plan`. Use it in the event loop of the main thread, see `cli.lifeline`.

    Args:
        plan: What to run.
        on_line: Gets each line that a child writes.
        on_event: Gets a sentence for each thing that happens to a child.
        backoff: How long to wait before a child that died is started again.
    """

    def __init__(
        self, plan: Plan, on_line: LineCallback, on_event: EventCallback, backoff: Backoff | None = None
    ) -> None:
        self._lifeline_read, self._lifeline_write = os.pipe()

        def children(specs: Sequence[ChildSpec]) -> list[Child]:
            return [
                Child(spec, self._lifeline_read, on_line, on_event, backoff or Backoff()) for spec in specs
            ]

        self._foundation = children(plan.foundation)
        self._preparation = children(plan.preparation)
        self._services = children(plan.services)
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def children(self) -> dict[str, Child]:
        """The children that are kept running, by name."""
        return {child.spec.name: child for child in [*self._foundation, *self._services]}

    async def start(self) -> None:
        """Start everything and return once all of it is ready.

        Raises:
            ServeError: Something cannot be started; `stop` must be called all the same.
        """
        await self._start_kept(self._foundation)
        for child in self._preparation:
            if await child.run_once():
                raise ServeError(_failure(child, "failed"))
        await self._start_kept(self._services)

    async def _start_kept(self, children: Sequence[Child]) -> None:
        self._keepers += [asyncio.create_task(child.keep()) for child in children]
        await asyncio.gather(*(self._wait_ready(child) for child in children))

    async def _wait_ready(self, child: Child) -> None:
        while not child.ready.is_set():
            if child.deaths_before_ready >= MOST_DEATHS_BEFORE_READY:
                raise ServeError(_failure(child, "cannot be started"))
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop everything: gently at first, by force after a few seconds."""
        try:
            for child in self._preparation:
                child.kill()
            await asyncio.gather(*(child.stop(STOP_GRACE_SECONDS) for child in self._services))
            await asyncio.gather(*(child.stop(FOUNDATION_GRACE_SECONDS) for child in self._foundation))
        finally:
            self.kill()
            for keeper in self._keepers:
                keeper.cancel()
            await asyncio.gather(*self._keepers, return_exceptions=True)
            self._close_lifeline()

    def kill(self) -> None:
        """End every process at once."""
        for child in [*self._foundation, *self._preparation, *self._services]:
            child.kill()

    def _close_lifeline(self) -> None:
        for descriptor in (self._lifeline_read, self._lifeline_write):
            os.close(descriptor)


def _failure(child: Child, what: str) -> str:
    lines = "\n".join(f"  {line}" for line in child.recent_output())
    return f"{child.spec.name} {what}" + (f". Its last lines:\n{lines}" if lines else ", and said nothing.")
