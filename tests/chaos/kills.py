"""Kill anything at any time: the results are those of an undisturbed run, and nothing is left behind."""

import argparse
import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from tests.chaos.client import PatientApi
from tests.chaos.controller import Controller
from tests.chaos.history import illegal_history
from tests.chaos.jobs import JOBS, SHORT_JOBS, Job
from tests.chaos.killer import Killer
from tests.chaos.ledger import Ledger, open_ledger
from tests.chaos.options import chaos_parser, parse, run_to_end, working_folder
from tests.chaos.postgres import KillablePostgres, chosen_database
from tests.chaos.report import (
    Stopwatch,
    facts,
    recovery_seconds,
    show_progress,
    strikes_table,
    verdict_table,
)
from tests.chaos.sampler import Sampler
from tests.chaos.server import ChaosServer
from tests.chaos.verdict import (
    Verdict,
    left_in,
    left_rows,
    orphans,
    stored_keys,
    stray_files,
    stuck_rows,
    until_none,
)
from tests.chaos.workload import Workload, run_undisturbed

_FINISH_SECONDS = 300.0
_TIDY_SECONDS = 60.0
_MEDIAN_AIM_SECONDS = 3.0
_WORST_AIM_SECONDS = 15.0
_STOP_LIMIT_SECONDS = 10.0
_HOUSEKEEPING = {"housekeeping_interval_seconds": 2, "abandoned_seconds": 10}


def main(arguments: list[str]) -> int:
    parser = chaos_parser("kills", __doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed")
    parser.add_argument("--short", action="store_true", help="only the two shortest jobs")
    options = parse(parser, arguments)
    console = Console(width=None if Console().is_terminal else 140)
    with working_folder(options.keep) as folder:
        return run_to_end(KillsRun(options, folder, console).run())


class KillsRun:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, folder: Path, console: Console) -> None:
        self._options = options
        self._folder = folder
        self._console = console
        self._jobs: tuple[Job, ...] = SHORT_JOBS if options.short else JOBS
        self._settings: dict[str, object] = {
            "slots": options.slots,
            "weights_mirror": options.weights,
            "access_token_seconds": 86400,
        }
        self.verdict = Verdict()
        self._clock = Stopwatch()

    async def run(self) -> int:
        self._console.print(f"seed {self._options.seed}, {self._options.kills} kills, in {self._folder}")
        reference = await self._undisturbed()
        async with AsyncExitStack() as stack:
            database, postgres = await chosen_database(self._options, self._folder, stack)
            server = ChaosServer(self._folder / "chaos", **self._settings, **database)
            stack.push_async_callback(server.stop)
            await server.start()
            ledger = open_ledger(server.database_url)
            stack.push_async_callback(ledger.aclose)
            api = await PatientApi(server.url).sign_up(f"chaos-{uuid4().hex[:8]}")
            stack.push_async_callback(api.aclose)
            await self._trouble(server, ledger, api, reference, postgres)
            await self._aftermath(server, ledger, api)
        self._console.print(verdict_table(self.verdict))
        self._console.print(f"total time {self._clock}")
        return self.verdict.exit_code

    async def _undisturbed(self) -> dict[str, dict[str, bytes]]:
        server = ChaosServer(self._folder / "undisturbed", **self._settings)
        await server.start()
        try:
            api = await PatientApi(server.url).sign_up("undisturbed")
            results = await run_undisturbed(api, self._jobs, self._options.media, self._folder)
            await api.aclose()
        finally:
            await server.stop()
        self._console.print(f"the undisturbed run of {len(self._jobs)} analyses took {self._clock}")
        return results

    async def _trouble(
        self,
        server: ChaosServer,
        ledger: Ledger,
        api: PatientApi,
        reference: dict[str, dict[str, bytes]],
        postgres: KillablePostgres | None,
    ) -> None:
        options = self._options
        chance = random.Random(options.seed)
        known = await api.mutations()
        workload = Workload(
            api,
            self._jobs,
            options.media,
            self._folder,
            reference,
            random.Random(chance.random()),
            takes_upload_keys="idempotencyKey" in known["uploadVideos"],
        )
        controller = Controller(workload, random.Random(chance.random()), "restartAnalysis" in known)
        sampler = Sampler(ledger)
        killer = Killer(server, sampler, options.slots, random.Random(chance.random()), postgres)

        def line() -> str:
            kills = ", ".join(f"{count} {kind}" for kind, count in sorted(killer.kills.items()))
            return (
                f"{self._clock}  kills {killer.kills.total()}/{options.kills} ({kills})  "
                f"compared {sum(workload.compared.values())}, open {len(workload.open_items)}, "
                f"problems {len(workload.problems)}"
            )

        trouble = Stopwatch()
        ends_at = time.monotonic() + options.minutes * 60
        killing = asyncio.create_task(killer.run(options.kills, ends_at))
        working = [asyncio.create_task(work) for work in (workload.run(), controller.run())]
        background = [
            asyncio.create_task(work)
            for work in (server.watch_processes(), sampler.run(), show_progress(self._console, line))
        ]
        tasks = [killing, *working, *background]
        try:
            # Work ends by itself only when something went wrong with it.
            done, _ = await asyncio.wait({killing, *working}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
            workload.stopping = True
            await self._finish(working, workload)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await killer.aclose()
        await self._judge(killer, workload, controller, sampler, ledger, trouble)

    async def _finish(self, working: list[asyncio.Task[None]], workload: Workload) -> None:
        """Wait until all work is done and compared."""
        done, late = await asyncio.wait(working, timeout=_FINISH_SECONDS)
        for task in done:
            await task
        self.verdict.none(
            f"all analyses ended within {_FINISH_SECONDS:.0f} s of the last kill",
            [f"{item.job.name} is {item.status}" for item in workload.open_items] if late else [],
        )

    async def _judge(
        self,
        killer: Killer,
        workload: Workload,
        controller: Controller,
        sampler: Sampler,
        ledger: Ledger,
        trouble: Stopwatch,
    ) -> None:
        verdict, times = self.verdict, recovery_seconds(killer.strikes)
        self._console.print(strikes_table(killer.strikes))
        most_repeated = sum(strike.at_stake for strike in killer.strikes)
        after_calls, repeated = await sampler.repeated_segments()
        self._console.print(
            facts(
                kills=", ".join(f"{count} {kind}" for kind, count in killer.kills.most_common()),
                control_calls=", ".join(f"{count} {name}" for name, count in controller.done.most_common()),
                compared=", ".join(f"{count} {name}" for name, count in workload.compared.most_common()),
                calls_repeated=workload.api.repeats,
                segments_repeated_after_kills=f"{repeated} (in {killer.kills.total()} kills)",
                segments_repeated_after_control_calls=after_calls,
                trouble_lasted=trouble,
            )
        )
        verdict.holds(
            "as many kills as asked for",
            killer.kills.total() >= self._options.kills,
            str(killer.kills.total()),
        )
        verdict.none("every result is that of the undisturbed run", workload.problems)
        verdict.holds("there were results to compare", sum(workload.compared.values()) > 0)
        verdict.none("every strike was recovered from", [one.name for one in killer.strikes if one.lost])
        verdict.at_most("repeated segments, at most one a slot that was hit", repeated, most_repeated)
        if times:
            verdict.at_most(
                "median recovery", statistics.median(times), _MEDIAN_AIM_SECONDS, is_aim=True, unit=" s"
            )
            verdict.at_most("worst recovery", max(times), _WORST_AIM_SECONDS, is_aim=True, unit=" s")
        verdict.none("no row is stuck", await stuck_rows(ledger))
        history = await illegal_history(ledger)
        if history is not None:
            verdict.none("every change of state was a legal one, and none is missing", history)

    async def _aftermath(self, server: ChaosServer, ledger: Ledger, api: PatientApi) -> None:
        """Stop it, tidy up, delete everything: what is left then?"""
        verdict, files = self.verdict, server.data_dir / "files"
        verdict.at_most("seconds to stop", await server.stop(), _STOP_LIMIT_SECONDS)
        verdict.none("no process lives on", await orphans(server))
        server.settings |= _HOUSEKEEPING
        await server.start()
        verdict.none(
            "no stray file after housekeeping",
            await until_none(lambda: stray_files(ledger, files), _TIDY_SECONDS),
        )
        for video_id in await api.video_ids():
            await api.delete("deleteVideo", video_id)
        verdict.none("no row is left of deleted videos", await left_rows(ledger))

        async def left() -> list[str]:
            return stored_keys(files)

        verdict.none("no file is left of deleted videos", await until_none(left, _TIDY_SECONDS))
        await server.stop()
        verdict.none("no scratch file is left", left_in(server.data_dir / "scratch"))
        verdict.none("no temporary file is left", left_in(server.tmp_dir))
        verdict.none("no process lives on after that", await orphans(server))
