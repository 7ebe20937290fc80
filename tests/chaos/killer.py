"""Kills processes of a server, one or a few at a time, and measures how long it takes to come back."""

import asyncio
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.postgres import KillablePostgres
from tests.chaos.processes import Kind, Process
from tests.chaos.recovery import Recovery
from tests.chaos.sampler import Sampler
from tests.chaos.server import ChaosServer

_WEIGHTS = {
    Kind.ANALYSIS: 40,
    Kind.WORKER: 22,
    Kind.API: 15,
    Kind.VALKEY: 15,
    Kind.SERVER: 3,
    Kind.POSTGRES: 8,
}
_SEVERAL_SHARE = 0.15
"""Share of strikes that kill two or three kinds at once."""
_HASTY_SHARE = 0.1
"""Share of strikes that come before the one before is recovered from."""
_ORDERLY_SHARE = 0.2
"""Share of strikes on a worker or the server that ask it to end instead of killing it; they count as no kill."""
_LONGEST_PAUSE_SECONDS = 1.2
_BUSY_SECONDS = 0.04
_LONGEST_DATABASE_OUTAGE_SECONDS = 0.5


@dataclass
class Strike:
    """One or more kills at one moment. `seconds` is None until (and unless) everything came back."""

    kinds: tuple[Kind, ...]
    orderly: bool = False
    at_stake: int = 0
    """Pieces of work that it can have cost."""
    victims: list[Process] = field(default_factory=list)
    killed_at: float = 0.0
    seconds: float | None = None
    overtaken: bool = False
    """Another strike came before it was recovered from: its time is not counted."""
    lost: bool = False
    """It was never recovered from."""

    @property
    def name(self) -> str:
        if len(self.kinds) > 1:
            return "several at once"
        return f"{self.kinds[0]} (SIGTERM)" if self.orderly else str(self.kinds[0])


@dataclass
class Killer:
    """Strikes until enough has been killed or `stop` is set."""

    server: ChaosServer
    sampler: Sampler
    slots: int
    random: random.Random
    postgres: KillablePostgres | None = None
    kills: Counter[Kind] = field(default_factory=Counter)
    strikes: list[Strike] = field(default_factory=list)
    _watching: asyncio.Task[None] | None = None
    _restarting: asyncio.Task[None] | None = None

    async def run(self, kills: int, ends_at: float) -> None:
        """Kill so often, but not after `ends_at` (by `time.monotonic`)."""
        recovery = Recovery(self.server, self.sampler, self.slots)
        while self.kills.total() < kills and time.monotonic() < ends_at:
            await asyncio.sleep(self.random.uniform(0.0, _LONGEST_PAUSE_SECONDS))
            await self._restarted()
            if not self.server.is_running:
                raise AssertionError(f"The supervisor ended by itself:\n{self.server.log_end()}")
            strike = self._choose(kills - self.kills.total())
            held = len(self.sampler.latest.leases)
            if not await self._hit(strike):
                continue
            await self._stop_watching()
            strike.at_stake = self._at_stake(strike)
            self.strikes.append(strike)
            self._restarting = asyncio.create_task(self._restart(strike))
            self._watching = asyncio.create_task(self._watch(recovery, strike, held))
            if self.random.random() >= _HASTY_SHARE:
                await asyncio.wait({self._watching})
        await self._restarted()
        if self._watching is not None:
            await self._watching

    def _choose(self, at_most: int) -> Strike:
        kinds = [kind for kind in _WEIGHTS if kind is not Kind.POSTGRES or self.postgres is not None]
        count = self.random.choice((2, 3)) if self.random.random() < _SEVERAL_SHARE else 1
        chosen: list[Kind] = []
        for _ in range(min(count, at_most)):
            weights = [0 if kind in chosen else _WEIGHTS[kind] for kind in kinds]
            chosen += self.random.choices(kinds, weights)
        if Kind.SERVER in chosen:
            # It takes all others with it.
            chosen = [Kind.SERVER]
        may_be_orderly = chosen in ([Kind.WORKER], [Kind.SERVER])
        return Strike(tuple(chosen), orderly=may_be_orderly and self.random.random() < _ORDERLY_SHARE)

    async def _hit(self, strike: Strike) -> bool:
        """Send the signals; False when there was nobody to get one."""
        number = signal.SIGTERM if strike.orderly else signal.SIGKILL
        found = {kind: self.server.processes(kind) for kind in strike.kinds}
        if Kind.ANALYSIS in found:
            found[Kind.ANALYSIS] = await _busy(found[Kind.ANALYSIS])
        strike.kinds = tuple(kind for kind in strike.kinds if self._send(strike, kind, found[kind], number))
        strike.killed_at = time.monotonic()
        if not strike.orderly:
            self.kills.update(strike.kinds)
        return bool(strike.kinds)

    def _send(self, strike: Strike, kind: Kind, found: list[Process], number: signal.Signals) -> bool:
        if kind is Kind.POSTGRES:
            return self.postgres is not None and self.postgres.send(number)
        if not found:
            return False
        victim = self.random.choice(found)
        strike.victims.append(victim)
        return victim.send(number)

    async def _restart(self, strike: Strike) -> None:
        """Start again what nobody else does: the supervisor and PostgreSQL."""
        if Kind.SERVER in strike.kinds:
            await self.server.wait()
            await self.server.start()
        if Kind.POSTGRES in strike.kinds and self.postgres is not None:
            await asyncio.sleep(self.random.uniform(0.0, _LONGEST_DATABASE_OUTAGE_SECONDS))
            await self.postgres.start()

    async def _restarted(self) -> None:
        # Shielded: what is half started when this is cancelled could not be stopped any more.
        if self._restarting is not None:
            await asyncio.shield(self._restarting)

    async def aclose(self) -> None:
        """Call it when `run` was cancelled: what is being started again is up, or has failed, then."""
        await self._stop_watching()
        if self._restarting is not None:
            await asyncio.wait({self._restarting})

    async def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    def _at_stake(self, strike: Strike) -> int:
        """Pieces of work that it can have cost: one a process, at most all slots."""
        if {Kind.WORKER, Kind.SERVER, Kind.POSTGRES}.intersection(strike.kinds):
            return self.slots
        return 1 if Kind.ANALYSIS in strike.kinds else 0

    async def _watch(self, recovery: Recovery, strike: Strike, held: int) -> None:
        strike.overtaken = True
        # One that was asked to end still works for a moment.
        while any(victim.is_alive for victim in strike.victims):
            await asyncio.sleep(0.01)
        strike.seconds = await recovery.seconds(set(strike.kinds), strike.killed_at, held)
        strike.overtaken = False
        strike.lost = strike.seconds is None


async def _busy(processes: list[Process]) -> list[Process]:
    """Those that compute; all of them if none does."""
    before = [process.cpu_seconds() for process in processes]
    await asyncio.sleep(_BUSY_SECONDS)
    rising = [one for one, old in zip(processes, before, strict=True) if one.cpu_seconds() != old]
    return rising or processes
