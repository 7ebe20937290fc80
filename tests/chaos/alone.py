"""One analysis at a time, paused or cancelled at any moment: how long does its work go on using a CPU?

Only one analysis has work, so all that the analysis processes compute is its. Measured from the sending of
the call to the last time that the CPU time of a process rose which lived at that moment. A process that was
started later, in the place of one that was ended, gets ready for other work and does not count.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.processes import Kind, Process
from tests.chaos.server import ChaosServer
from tests.chaos.workload import Item, Workload

_LOOK_SECONDS = 0.01
_QUIET_SECONDS = 0.6
"""Without a tick of CPU time for so long, the work counts as stopped."""
_LONGEST_WATCH_SECONDS = 20.0
_LONGEST_RUN_SECONDS = 0.4
_WORKING_SECONDS = 0.02
_START_SECONDS = 60.0
_WARM_SECONDS = 2.5
"""A process younger than this may still be importing."""
_CANCEL_SHARE = 0.3
_MOST_IN_VAIN = 20


@dataclass
class Alone:
    """Pauses and cancels the only running analysis again and again.

    Attributes:
        seconds: From each pause or cancel to the end of its use of CPU.
        calls: How often each call had each outcome.
    """

    server: ChaosServer
    workload: Workload
    random: random.Random
    can_restart: bool
    slots: int
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"pause": [], "cancel": []})
    calls: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    calls_in_vain: int = 0
    """Analyses in a row that ended before they could be stopped."""

    @property
    def call_count(self) -> int:
        return self.calls.total()

    async def run(self, stops: int) -> None:
        """Stop running work so often."""
        item = await self.workload.add(self.workload.next_job())
        while len(self.seconds["pause"]) + len(self.seconds["cancel"]) < stops:
            workers = await self._working(item)
            if workers is None:
                item = await self._next(item)
                continue
            await asyncio.sleep(self.random.uniform(0.0, _LONGEST_RUN_SECONDS))
            item = await self._stop(item, workers)

    async def _next(self, item: Item) -> Item:
        """The analysis ended: compare it, and start another."""
        self.calls_in_vain += 1
        if self.calls_in_vain > _MOST_IN_VAIN:
            raise AssertionError("analyses end before they can be stopped")
        await self.workload.check()
        return await self.workload.add(self.workload.next_job())

    async def _stop(self, item: Item, workers: list[Process]) -> Item:
        """Pause or cancel, measure, and make it go on."""
        action = "cancel" if self.random.random() < _CANCEL_SHARE else "pause"
        began = time.monotonic()
        watching = asyncio.create_task(_last_rise(workers, began))
        status, codes = await self.workload.api.steer(f"{action}Analysis", item.analysis_id)
        stopped_after = await watching
        self.calls[f"{action}: {codes[0] if codes else 'done'}"] += 1
        if codes == ["CONFLICT"]:  # it was done before the call came
            return await self._next(item)
        if codes or status != {"pause": "PAUSED", "cancel": "CANCELLED"}[action]:
            self.problems.append(f"{action} of running work gave {status} {codes}")
        self.calls_in_vain = 0
        self.seconds[action].append(stopped_after)
        if action == "cancel" and not self.can_restart:
            item.cancelled = True
            return await self._next(item)
        back = "resume" if action == "pause" else "restart"
        status, codes = await self.workload.api.steer(f"{back}Analysis", item.analysis_id)
        self.calls[f"{back}: {codes[0] if codes else 'done'}"] += 1
        if codes or status not in ("QUEUED", "RUNNING"):
            self.problems.append(f"{back} gave {status} {codes}")
        return item

    async def _working(self, item: Item) -> list[Process] | None:
        """Wait until warm processes work; they all. None when the analysis has ended."""
        gives_up = time.monotonic() + _START_SECONDS
        while time.monotonic() < gives_up:
            processes = self.server.processes(Kind.ANALYSIS)
            if len(processes) >= self.slots and all(one.age_seconds > _WARM_SECONDS for one in processes):
                before = _total_cpu_seconds(processes)
                await asyncio.sleep(0.05)
                if _total_cpu_seconds(processes) - before >= _WORKING_SECONDS:
                    return processes
            states = await self.workload.states()
            if states[item.analysis_id]["status"] not in ("QUEUED", "RUNNING"):
                return None
            await asyncio.sleep(0.02)
        raise AssertionError(f"nothing worked on {item} for {_START_SECONDS:.0f} s")


def _total_cpu_seconds(processes: list[Process]) -> float:
    return sum(process.cpu_seconds() or 0.0 for process in processes)


async def _last_rise(processes: list[Process], began: float) -> float:
    """Seconds from `began` to the last tick of CPU time of any of these processes."""
    ticks = [process.cpu_seconds() for process in processes]
    last = began
    while (now := time.monotonic()) - last < _QUIET_SECONDS and now - began < _LONGEST_WATCH_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        latest = [process.cpu_seconds() for process in processes]
        # One that has ended uses none any more, whatever it had used.
        if any(new is not None and new != old for new, old in zip(latest, ticks, strict=True)):
            last = time.monotonic()
        ticks = latest
    return last - began
