"""Putting broken files through a real server, and judging how each one ends."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.mutants_kinds import Mutant
from tests.chaos.processes import Census, Kind
from tests.chaos.soak_memory import resident_bytes
from tests.e2e.server import Api, Server

AT_ONCE = 4
"""Files under way at the same time: enough to keep two slots busy, few enough to time each."""
SETTINGS: dict[str, object] = {
    "base_time_limit_seconds": 20,
    "frame_time_limit_seconds": 0.5,
    "stall_seconds": 10,
    "analysis_process_memory_bytes": 2 * 2**30,
    "max_video_duration_seconds": 3600,
}
"""Limits of a server that is given broken files."""
DEADLINE_SECONDS = 300.0
"""Three attempts of probe, detection and summary at those limits, with a neighbour on the other slot."""
ANALYSE = {"mlModel": "frame-marker", "minConfidence": 0.0}

_STATE = """query($id: ID!) { analysis(id: $id) {
  status errorMessage framesTotal video { status rejectionReason frameCount } } }"""
_MACHINE_WORDS = re.compile(
    r"Traceback|Errno|0x[0-9a-f]{4}|(^|\s)/\w+/|\w+Error\b|\w+Exception\b|None\b|\[Errno|avcodec|libav"
)


@dataclass
class Outcome:
    """How one file ended."""

    mutant: Mutant
    video: str = ""
    """READY, REJECTED, or REFUSED where the upload itself said no."""
    analysis: str = ""
    reason: str = ""
    frames: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    @property
    def end(self) -> str:
        """Both states in words."""
        return f"{self.video} {self.analysis}".strip()


@dataclass
class Watch:
    """What the processes of a server did meanwhile."""

    before: dict[Kind, list[int]]
    census: Census
    peak_bytes: dict[Kind, int] = field(default_factory=dict)
    analysis_pids: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, server: Server) -> "Watch":
        census = Census(f"={server.data_dir}/")
        census.roots = {server.process.pid}
        return cls({kind: _pids(census, kind) for kind in (Kind.API, Kind.WORKER)}, census)

    def look(self) -> None:
        for process in self.census.look().values():
            resident = resident_bytes(process.pid) or 0
            self.peak_bytes[process.kind] = max(self.peak_bytes.get(process.kind, 0), resident)
            if process.kind is Kind.ANALYSIS:
                self.analysis_pids.add(process.pid)

    async def look_for_ever(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.5)

    def violations(self) -> list[str]:
        """Whether the API and the worker are those of the beginning."""
        found = []
        for kind, pids in self.before.items():
            now = _pids(self.census, kind)
            if now != pids or not pids:
                found.append(f"the {kind} was restarted: {pids} before, {now} after")
        return found


def _pids(census: Census, kind: Kind) -> list[int]:
    return [process.pid for process in census.of(kind)]


async def run_mutants(
    api: Api,
    mutants: Sequence[Mutant],
    folder: Path,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    on_end: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Upload each with an analysis and wait for its end; a few at a time.

    Args:
        api: Of a user whose server knows the model `frame-marker`.
        mutants: The files.
        folder: Where they are written, each for as long as it is needed.
        deadline_seconds: An analysis that has not ended by then counts as one that hangs.
        on_end: Gets each outcome.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gate = asyncio.Semaphore(AT_ONCE)

    async def run(mutant: Mutant) -> Outcome:
        async with gate:
            outcome = await _run_one(api, mutant, folder, deadline_seconds)
        outcome.violations += violations_of(outcome)
        on_end(outcome)
        return outcome

    return list(await asyncio.gather(*(run(mutant) for mutant in mutants)))


async def _run_one(api: Api, mutant: Mutant, folder: Path, deadline_seconds: float) -> Outcome:
    outcome = Outcome(mutant)
    path = folder / mutant.name
    path.write_bytes(mutant.content)
    began = time.monotonic()
    try:
        # The overlay decodes the whole video once more, and copies its sound.
        payload = await api.upload(path, analyze={**ANALYSE, "overlay": mutant.number % 3 == 0})
        if payload["userErrors"]:
            outcome.video = "REFUSED"
            outcome.reason = " ".join(error["message"] for error in payload["userErrors"])
        else:
            await _wait(api, payload["analyses"][0]["id"], outcome, deadline_seconds)
    except TimeoutError:
        outcome.violations.append(f"not at its end after {deadline_seconds:.0f} s")
    except Exception as error:  # whatever the server answers is a finding about this file
        outcome.violations.append(f"the API failed: {error!r}")
    finally:
        path.unlink()
    outcome.seconds = time.monotonic() - began
    return outcome


async def _wait(api: Api, analysis_id: str, outcome: Outcome, deadline_seconds: float) -> None:
    async with asyncio.timeout(deadline_seconds):
        while True:
            analysis: dict[str, Any] = (await api.data(_STATE, id=analysis_id))["analysis"]
            outcome.video, outcome.analysis = analysis["video"]["status"], analysis["status"]
            outcome.reason = analysis["video"]["rejectionReason"] or analysis["errorMessage"] or ""
            outcome.frames = analysis["framesTotal"] or 0
            if analysis["status"] not in ("QUEUED", "RUNNING"):
                return
            await asyncio.sleep(0.2)


def violations_of(outcome: Outcome) -> list[str]:
    """What is wrong with an end."""
    if outcome.violations:
        return []
    allowed = {"READY SUCCEEDED", "READY FAILED", "REJECTED FAILED", "REFUSED"}
    found = [] if outcome.end in allowed else [f"ended as {outcome.end}"]
    if outcome.end != "READY SUCCEEDED":
        found += [f"{fault}: {outcome.reason!r}" for fault in faults_of_reason(outcome.reason)]
    return found


def faults_of_reason(reason: str) -> list[str]:
    """Why a person would not understand this reason, as far as a program can tell."""
    if not reason.strip():
        return ["no reason"]
    faults = []
    if len(reason.split()) < 4 or not reason[0].isupper() or reason.rstrip()[-1] not in ".!?":
        faults.append("not a sentence")
    if found := _MACHINE_WORDS.search(reason):
        faults.append(f"not for a person ({found.group().strip()})")
    return faults
