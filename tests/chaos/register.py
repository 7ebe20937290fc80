"""Two analyses of the same people at once, on two workers that are killed: always the same register."""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from benchmarks.clips import with_new_hash
from graphql_api.relay import require_uuid
from tests.chaos.client import PatientApi
from tests.chaos.ledger import Ledger, open_ledger
from tests.chaos.options import chaos_parser, parse, run_to_end, working_folder
from tests.chaos.postgres import chosen_database
from tests.chaos.processes import Kind
from tests.chaos.report import Stopwatch, facts, show_progress, verdict_table
from tests.chaos.server import ChaosServer
from tests.chaos.verdict import Verdict, orphans, stuck_rows
from tests.people_clips import make_clips
from tests.people_sets import THREE_VIDEOS, TOGETHER

Partition = frozenset[frozenset[tuple[str, int]]]
"""The clip and the track of each appearance of each person."""

CLIPS = (TOGETHER[2], THREE_VIDEOS[1])
"""Two of the three persons of the one are all those of the other."""
_SETTINGS = {"mlModel": "yunet-2026may", "createPeople": True}
_STATES = "query { analyses(first: 100) { edges { node { id status errorMessage } } } }"
_ROUND_SECONDS = 240.0
_LONGEST_PAUSE_SECONDS = 1.5
_NEW_CONTENT_SHARE = 0.3
"""Share of rounds in which frames are detected anew; in the others there is more time to kill what follows."""
_WORKER_SHARE = 0.4

_APPEARANCES = """SELECT CAST(analysis_id AS TEXT), track_id, CAST(person_id AS TEXT) FROM appearances
  WHERE CAST(owner_id AS TEXT) = '{owner}'"""
_LONELY = """SELECT CAST(p.id AS TEXT) FROM people p WHERE p.appearance_count <>
  (SELECT COUNT(*) FROM appearances a WHERE a.person_id = p.id) OR p.appearance_count = 0"""
_OWNER = "SELECT CAST(owner_id AS TEXT) FROM analyses WHERE CAST(id AS TEXT) = '{analysis}'"


def main(arguments: list[str]) -> int:
    parser = chaos_parser("register", __doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how often two analyses are started at once")
    parser.add_argument("--kills", type=int, default=3, help="most kills a round")
    options = parse(parser, arguments)
    console = Console(width=None if Console().is_terminal else 140)
    with working_folder(options.keep) as folder:
        return run_to_end(RegisterRun(options, folder, console).run())


class SecondWorker:
    """A worker beside that of the server, on the same database and queue; started again when it was killed."""

    def __init__(self, server: ChaosServer) -> None:
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        """Start it if it does not run."""
        if self._process is not None and self._process.poll() is None:
            return
        server = self._server
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("FRAMEWISE_", "REDIS_"))
        }
        environment |= {f"FRAMEWISE_{name.upper()}": str(value) for name, value in server.settings.items()}
        environment |= {"FRAMEWISE_REDIS_URL": server.valkey_url, "TMPDIR": f"{server.tmp_dir}/"}
        command = [sys.executable, "-m", "cli", "worker", "--data-dir", str(server.data_dir), "--slots", "1"]
        with server.log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        server.census.roots = server.census.roots | {self._process.pid}

    async def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, 30)


class RegisterRun:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, folder: Path, console: Console) -> None:
        self._options = options
        self._folder = folder
        self._console = console
        self._random = random.Random(options.seed)
        self._kills: Counter[Kind] = Counter()
        self._partitions: Counter[Partition] = Counter()
        self._problems: list[str] = []
        self._clock = Stopwatch()

    async def run(self) -> int:
        options, verdict = self._options, Verdict()
        self._console.print(f"seed {options.seed}, {options.rounds} rounds, in {self._folder}")
        clips = make_clips(CLIPS, options.media, self._folder / "clips")
        paths = [clip.path for clip in clips]
        async with AsyncExitStack() as stack:
            database, _ = await chosen_database(options, self._folder, stack)
            server = ChaosServer(
                self._folder / "server",
                slots=1,
                weights_mirror=options.weights,
                access_token_seconds=86400,
                segment_seconds=1.0,
                **database,
            )
            stack.push_async_callback(server.stop)
            await server.start()
            second = SecondWorker(server)
            stack.push_async_callback(second.stop)
            ledger = open_ledger(server.database_url)
            stack.push_async_callback(ledger.aclose)
            undisturbed = await self._round(server, second, ledger, paths, kills=0)
            showing = asyncio.create_task(show_progress(self._console, self._line))
            ends_at = time.monotonic() + options.minutes * 60
            rounds = 0
            try:
                while rounds < options.rounds and time.monotonic() < ends_at:
                    kills = self._random.randint(1, options.kills)
                    self._partitions[await self._round(server, second, ledger, paths, kills)] += 1
                    rounds += 1
            finally:
                showing.cancel()
            await second.stop()
            verdict.none("no row is stuck", await stuck_rows(ledger))
            verdict.none("every person has appearances, and as many as it says", await ledger.rows(_LONELY))
            await server.stop()
            verdict.none("no process lives on", await orphans(server))
        self._console.print(
            facts(
                rounds=rounds,
                kills=", ".join(f"{count} {kind}" for kind, count in self._kills.most_common()),
                persons_of_the_undisturbed_round=len(undisturbed),
                registers=", ".join(str(count) for count in self._partitions.values()),
            )
        )
        verdict.holds("as many rounds as asked for", rounds >= options.rounds, str(rounds))
        verdict.holds("there were kills", self._kills.total() >= rounds, str(self._kills.total()))
        verdict.none("every analysis SUCCEEDED", self._problems)
        verdict.holds("the undisturbed register has the three persons", len(undisturbed) == 3)
        different = [_shown(one) for one in self._partitions if one != undisturbed]
        verdict.none("every register is that of the undisturbed round", different)
        self._console.print(verdict_table(verdict))
        self._console.print(f"total time {self._clock}")
        return verdict.exit_code

    def _line(self) -> str:
        return (
            f"{self._clock}  rounds {self._partitions.total()}/{self._options.rounds}, kills "
            f"{self._kills.total()}, registers {list(self._partitions.values())}, problems {len(self._problems)}"
        )

    async def _round(
        self, server: ChaosServer, second: SecondWorker, ledger: Ledger, paths: Sequence[Path], kills: int
    ) -> Partition:
        """Two analyses of a new account, begun at once; its register when both have ended."""
        guest = PatientApi(server.url)
        api = await guest.sign_up(f"register-{uuid4().hex[:8]}")
        second.ensure()
        try:
            is_new = self._random.random() < _NEW_CONTENT_SHARE
            contents = [
                (with_new_hash(path, self._folder) if is_new else path).read_bytes() for path in paths
            ]
            payloads = await asyncio.gather(
                *(
                    api.upload(path.name, content, _SETTINGS, uuid4().hex)
                    for path, content in zip(paths, contents, strict=True)
                )
            )
            names = {
                str(require_uuid(payload["analyses"][0]["id"], "Analysis")): path.stem
                for payload, path in zip(payloads, paths, strict=True)
            }
            killing = asyncio.create_task(self._kill(server, second, kills))
            try:
                await self._ended(api, second)
            finally:
                killing.cancel()
                await asyncio.gather(killing, return_exceptions=True)
            return await _partition(ledger, names)
        finally:
            await api.aclose()
            await guest.aclose()

    async def _kill(self, server: ChaosServer, second: SecondWorker, kills: int) -> None:
        """Kill workers and analysis processes, each whichever."""
        while kills:
            await asyncio.sleep(self._random.uniform(0.05, _LONGEST_PAUSE_SECONDS))
            kind = Kind.WORKER if self._random.random() < _WORKER_SHARE else Kind.ANALYSIS
            processes = server.processes(kind)
            if processes and self._random.choice(processes).send(signal.SIGKILL):
                self._kills[kind] += 1
                kills -= 1
            second.ensure()

    async def _ended(self, api: PatientApi, second: SecondWorker) -> None:
        """Wait until both analyses have ended."""
        async with asyncio.timeout(_ROUND_SECONDS):
            while True:
                edges = (await api.data(_STATES))["analyses"]["edges"]
                states = [edge["node"] for edge in edges]
                if all(state["status"] in ("SUCCEEDED", "FAILED") for state in states):
                    break
                second.ensure()
                await asyncio.sleep(0.1)
        self._problems += [
            f"{state['status']}: {state['errorMessage']}"
            for state in states
            if state["status"] != "SUCCEEDED"
        ]


async def _partition(ledger: Ledger, names: dict[str, str]) -> Partition:
    """The register of the account of these analyses, whatever ids it has."""
    ((owner,),) = await ledger.rows(_OWNER.format(analysis=next(iter(names))))
    people: dict[str, set[tuple[str, int]]] = {}
    for analysis_id, track_id, person_id in await ledger.rows(_APPEARANCES.format(owner=owner)):
        people.setdefault(person_id, set()).add((names[analysis_id], track_id))
    return frozenset(frozenset(one) for one in people.values())


def _shown(partition: Partition) -> str:
    return " | ".join(
        ", ".join(f"{clip} {track}" for clip, track in sorted(one)) for one in sorted(partition, key=sorted)
    )
