"""A storm of control calls on running work: every one is legal, and CPUs are free within a second."""

import argparse
import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from tests.chaos.alone import Alone
from tests.chaos.client import PatientApi
from tests.chaos.crowd import Account, Crowd
from tests.chaos.history import illegal_history
from tests.chaos.jobs import JOBS, SHORT_JOBS
from tests.chaos.ledger import Ledger, open_ledger
from tests.chaos.options import chaos_parser, parse, run_to_end, working_folder
from tests.chaos.postgres import chosen_database
from tests.chaos.processes import Kind
from tests.chaos.report import Stopwatch, facts, percentile, show_progress, verdict_table
from tests.chaos.server import ChaosServer
from tests.chaos.socket_client import SocketApi
from tests.chaos.verdict import Verdict, orphans, stuck_rows
from tests.chaos.workload import Workload, run_undisturbed

_ACCOUNTS = 2
_SOCKETS_PER_ACCOUNT = 2
_CLIENTS_PER_ACCOUNT = 4
_MOST_RESTARTS = 3
_CPU_AIM_SECONDS = 1.0
_LASTING = (Kind.SERVER, Kind.API, Kind.WORKER, Kind.VALKEY)


def main(arguments: list[str]) -> int:
    parser = chaos_parser("storm", __doc__)
    parser.add_argument("--calls", type=int, default=1000, help="how many control calls are made")
    parser.add_argument(
        "--stops",
        type=int,
        default=200,
        help="how many of them pause or cancel the only running analysis, to measure its CPU; another undoes each",
    )
    parser.add_argument("--short", action="store_true", help="only the two shortest jobs")
    options = parse(parser, arguments)
    console = Console(width=None if Console().is_terminal else 140)
    with working_folder(options.keep) as folder:
        return run_to_end(StormRun(options, folder, console).run())


class StormRun:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, folder: Path, console: Console) -> None:
        self._options = options
        self._folder = folder
        self._console = console
        self._jobs = SHORT_JOBS if options.short else JOBS
        self._random = random.Random(options.seed)
        self.verdict = Verdict()
        self._clock = Stopwatch()

    async def run(self) -> int:
        options = self._options
        self._console.print(f"seed {options.seed}, {options.calls} calls, in {self._folder}")
        settings: dict[str, object] = {
            "slots": options.slots,
            "weights_mirror": options.weights,
            "access_token_seconds": 86400,
        }
        async with AsyncExitStack() as stack:
            database, _ = await chosen_database(options, self._folder, stack)
            server = ChaosServer(self._folder / "storm", **settings, **database)
            stack.push_async_callback(server.stop)
            await server.start()
            ledger = open_ledger(server.database_url)
            stack.push_async_callback(ledger.aclose)
            await self._storm(stack, server, ledger)
            await server.stop()
            self.verdict.none("no process lives on", await orphans(server))
        self._console.print(verdict_table(self.verdict))
        self._console.print(f"total time {self._clock}")
        return self.verdict.exit_code

    async def _storm(self, stack: AsyncExitStack, server: ChaosServer, ledger: Ledger) -> None:
        accounts = [await self._account(stack, server) for _ in range(_ACCOUNTS)]
        first = accounts[0]
        reference = await run_undisturbed(first.api, self._jobs, self._options.media, self._folder)
        self._console.print(f"the undisturbed run of {len(self._jobs)} analyses took {self._clock}")
        for account in accounts:
            account.workload.reference = reference
        mutations = await first.api.mutations()
        lasting = _pids(server)
        can_restart = "restartAnalysis" in mutations
        alone = Alone(server, first.workload, self._random, can_restart, self._options.slots)
        crowd = Crowd(accounts, self._random, frozenset(_actions(mutations)))

        def line() -> str:
            return f"{self._clock}  calls {crowd.calls + alone.call_count}/{self._options.calls}"

        showing = asyncio.create_task(show_progress(self._console, line))
        try:
            await alone.run(self._options.stops)
            await crowd.run(self._options.calls - alone.call_count)
            for account in accounts:
                await _settle(account, can_restart=can_restart)
        finally:
            showing.cancel()
        await self._judge(alone, crowd, ledger)
        self.verdict.holds("no process of the server was replaced", _pids(server) == lasting)

    async def _account(self, stack: AsyncExitStack, server: ChaosServer) -> Account:
        api = await PatientApi(server.url).sign_up(f"storm-{uuid4().hex[:8]}")
        sockets = [await SocketApi(server.url, api.token).open() for _ in range(_SOCKETS_PER_ACCOUNT)]
        plain = [
            PatientApi(server.url, api.token) for _ in range(_CLIENTS_PER_ACCOUNT - _SOCKETS_PER_ACCOUNT)
        ]
        for client in (api, *sockets, *plain):
            stack.push_async_callback(client.aclose)
        chance = random.Random(self._random.random())
        workload = Workload(api, self._jobs, self._options.media, self._folder, {}, chance)
        return Account(api, workload, [*sockets, *plain])

    async def _judge(self, alone: Alone, crowd: Crowd, ledger: Ledger) -> None:
        verdict = self.verdict
        accounts = crowd.accounts
        outcomes = crowd.answers + alone.calls
        compared = sum(sum(account.workload.compared.values()) for account in accounts)
        self._console.print(
            facts(
                outcomes=", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
                compared=compared,
                **{f"CPU_used_after_a_{action}": _figures(times) for action, times in alone.seconds.items()},
            )
        )
        total = crowd.calls + alone.call_count
        verdict.holds("as many calls as asked for", total >= self._options.calls, str(total))
        verdict.none("every call was answered as it should", [*alone.problems, *crowd.problems])
        repeats = sum(client.repeats for account in accounts for client in (account.api, *account.clients))
        verdict.holds("no call had to be repeated", repeats == 0, str(repeats or ""))
        history = await illegal_history(ledger)
        if history is not None:
            verdict.none("every change of state was a legal one, and none is missing", history)
        stops = [seconds for times in alone.seconds.values() for seconds in times]
        verdict.at_most(
            "CPU freed after a pause or cancel, p99",
            percentile(stops, 0.99),
            _CPU_AIM_SECONDS,
            is_aim=True,
            unit=" s",
        )
        problems = [problem for account in accounts for problem in account.workload.problems]
        verdict.none("what was not cancelled SUCCEEDED with the undisturbed result", problems)
        verdict.holds("there were results to compare", compared > 0)
        verdict.none("no row is stuck", await stuck_rows(ledger))


def _actions(mutations: dict[str, set[str]]) -> set[str]:
    known = {"pause", "resume", "cancel", "deleteVideo"}
    if "restartAnalysis" in mutations:
        known.add("restart")
    if "deleteAnalysis" in mutations:
        known.add("deleteAnalysis")
    return known


def _pids(server: ChaosServer) -> dict[Kind, list[int]]:
    return {kind: [process.pid for process in server.processes(kind)] for kind in _LASTING}


def _figures(seconds: list[float]) -> str:
    return (
        f"{len(seconds)} times, p50 {percentile(seconds, 0.5):.2f} s, p99 {percentile(seconds, 0.99):.2f} s, "
        f"worst {max(seconds, default=0.0):.2f} s"
    )


async def _settle(account: Account, *, can_restart: bool) -> None:
    """Make what can go on go on, and wait until it is done and compared."""
    workload = account.workload
    restarts = _MOST_RESTARTS if can_restart else 0
    states = await workload.states()
    for item in account.items:
        status = states[item.analysis_id]["status"]
        if status == "PAUSED":
            await account.api.steer("resumeAnalysis", item.analysis_id)
        elif status == "CANCELLED":
            item.cancelled = True
            if restarts:
                _, codes = await account.api.steer("restartAnalysis", item.analysis_id)
                item.cancelled = bool(codes)
                restarts -= 1
    workload.stopping = True
    await workload.run()
