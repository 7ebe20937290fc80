import asyncio
import logging
import os
import signal

import pytest

from cli.children import Backoff, Child, ChildSpec
from cli.errors import ServeError
from cli.supervisor import MOST_DEATHS_BEFORE_READY, Plan, Supervisor
from tests.cli.processes import PARENT, SLEEPER, STUBBORN, eventually, is_running, python

QUICK = Backoff(first_seconds=0.01, longest_seconds=0.05, reset_seconds=1000)


class Said:
    """Keeps what a supervisor reports."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.events: list[tuple[str, str, int]] = []

    def line(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def event(self, name: str, text: str, level: int) -> None:
        self.events.append((name, text, level))

    def deaths(self, name: str) -> list[str]:
        return [text for other, text, level in self.events if other == name and level == logging.WARNING]


def spec(name: str, program: str, *arguments: str, **more) -> ChildSpec:
    return ChildSpec(name, python(program, *arguments), dict(os.environ), **more)


@pytest.fixture
def said() -> Said:
    return Said()


async def test_everything_starts_in_order_and_stops_in_reverse(said, tmp_path):
    log = tmp_path / "log"
    program = (
        "import signal, sys, time\n"
        "log = lambda text: open(sys.argv[2], 'a').write(text + ' ' + sys.argv[1] + '\\n')\n"
        "signal.signal(15, lambda *_: (log('stop'), sys.exit(0)))\n"
        "log('start')\n"
        "while True: time.sleep(0.01)\n"
    )

    def started(name: str):
        async def check() -> bool:
            return log.exists() and f"start {name}" in log.read_text()

        return check

    base = spec("base", program, "base", str(log), is_ready=started("base"))
    once = spec("once", "import sys; open(sys.argv[1], 'a').write('once\\n')", str(log))
    service = spec("service", program, "service", str(log), is_ready=started("service"))
    supervisor = Supervisor(Plan((base,), (once,), (service,)), said.line, said.event)
    await supervisor.start()
    pids = [child.pid for child in supervisor.children.values()]
    await supervisor.stop()
    assert log.read_text().split("\n")[:-1] == [
        "start base",
        "once",
        "start service",
        "stop service",
        "stop base",
    ]
    assert not any(is_running(pid) for pid in pids)


async def test_lines_are_passed_on_under_the_name_of_their_child(said):
    program = "import sys, time; print('one'); print('two', file=sys.stderr); print('x' * 200_000); time.sleep(1000)"
    supervisor = Supervisor(Plan(services=(spec("a", program),)), said.line, said.event)
    try:
        await supervisor.start()
        await eventually(lambda: sum(len(text) for _, text in said.lines) >= 200_006, "all output was read")
        assert {"one", "two"} <= {text for name, text in said.lines if name == "a"}
    finally:
        await supervisor.stop()


async def test_what_dies_is_started_again_and_the_wait_grows(said):
    supervisor = Supervisor(Plan(services=(spec("a", SLEEPER),)), said.line, said.event, QUICK)
    await supervisor.start()
    child = supervisor.children["a"]
    try:
        pids = set()
        for deaths in range(1, 5):
            await eventually(lambda: child.pid is not None and child.pid not in pids, "it runs again")
            pids.add(child.pid)
            os.kill(child.pid, signal.SIGKILL)
            await eventually(lambda deaths=deaths: len(said.deaths("a")) == deaths, "its death was noticed")
        assert [text.rpartition(" in ")[2] for text in said.deaths("a")] == [
            "0.01 s",
            "0.02 s",
            "0.04 s",
            "0.05 s",
        ]
        assert "SIGKILL" in said.deaths("a")[0]
    finally:
        await supervisor.stop()


async def test_a_child_that_was_ready_long_enough_begins_again_with_the_first_wait(said):
    backoff = Backoff(first_seconds=0.01, longest_seconds=1, reset_seconds=0)
    supervisor = Supervisor(
        Plan(services=(spec("a", "raise SystemExit(3)"),)), said.line, said.event, backoff
    )
    try:
        await supervisor.start()
        await eventually(lambda: len(said.deaths("a")) >= 4, "it died four times")
        assert set(said.deaths("a")) == {"ended (exit code 3), starting it again in 0.01 s"}
    finally:
        await supervisor.stop()


async def test_a_child_that_was_up_but_never_ready_does_not(said):
    asked = []

    async def only_the_first_time() -> bool:
        asked.append(1)
        return len(asked) == 1

    backoff = Backoff(first_seconds=0.01, longest_seconds=1, reset_seconds=0)
    program = "import time; time.sleep(0.2); raise SystemExit(3)"
    supervisor = Supervisor(
        Plan(services=(spec("a", program, is_ready=only_the_first_time),)), said.line, said.event, backoff
    )
    try:
        await supervisor.start()
        await eventually(lambda: len(said.deaths("a")) >= 3, "it died three times")
        assert [text.rpartition(" in ")[2] for text in said.deaths("a")[:3]] == ["0.01 s", "0.02 s", "0.04 s"]
    finally:
        await supervisor.stop()


def test_a_single_kill_of_a_healthy_child_costs_half_a_second():
    assert (Backoff().wait_seconds(1), Backoff().reset_seconds) == (0.5, 5.0)


def test_waits_double_up_to_the_longest():
    backoff = Backoff(first_seconds=0.5, longest_seconds=30)
    assert [backoff.wait_seconds(deaths) for deaths in (1, 2, 3, 7, 10_000)] == [0.5, 1, 2, 30, 30]


async def test_a_preparation_that_fails_ends_the_start_with_its_last_words(said):
    failing = spec("migrate", "raise SystemExit('the table is upside down')")
    supervisor = Supervisor(
        Plan(preparation=(failing,), services=(spec("a", SLEEPER),)), said.line, said.event
    )
    with pytest.raises(ServeError, match=r"migrate failed(.|\n)*upside down"):
        await supervisor.start()
    await supervisor.stop()
    assert not any(name == "a" for name, *_ in said.events)


async def test_a_service_that_never_gets_ready_ends_the_start(said, tmp_path):
    async def never() -> bool:
        return False

    log = tmp_path / "log"
    program = f"open({str(log)!r}, 'w').write('cannot read my own files'); raise SystemExit(1)"
    broken = spec("base", program, is_ready=never, log_file=log)
    supervisor = Supervisor(Plan(foundation=(broken,)), said.line, said.event, QUICK)
    with pytest.raises(ServeError, match=r"base cannot be started(.|\n)*cannot read my own files"):
        await supervisor.start()
    await supervisor.stop()
    assert len(said.deaths("base")) >= MOST_DEATHS_BEFORE_READY


async def test_a_service_that_dies_at_once_does_not_count_as_ready(said):
    broken = spec("worker", "raise SystemExit('no broker')", settle_seconds=60)
    supervisor = Supervisor(Plan(services=(broken,)), said.line, said.event, QUICK)
    with pytest.raises(ServeError, match="no broker"):
        await supervisor.start()
    await supervisor.stop()


async def test_what_does_not_listen_is_ended_by_force(said, monkeypatch):
    monkeypatch.setattr("cli.supervisor.STOP_GRACE_SECONDS", 0.2)
    supervisor = Supervisor(Plan(services=(spec("a", STUBBORN), spec("b", SLEEPER))), said.line, said.event)
    await supervisor.start()
    await eventually(lambda: len(said.lines) == 2, "both are up")
    pids = [child.pid for child in supervisor.children.values()]
    await supervisor.stop()
    assert not any(is_running(pid) for pid in pids)
    assert [name for name, text, _ in said.events if "by force" in text] == ["a"]


async def test_nothing_that_a_child_started_outlives_it(said):
    supervisor = Supervisor(Plan(services=(spec("a", PARENT),)), said.line, said.event, QUICK)
    await supervisor.start()
    try:
        await eventually(lambda: len(said.lines) == 2, "both are up")
        grandchild = next(int(text.split()[1]) for _, text in said.lines if text.startswith("grandchild"))
        assert is_running(grandchild)
        os.kill(supervisor.children["a"].pid, signal.SIGKILL)
        await eventually(lambda: not is_running(grandchild), "the grandchild ended with the child")
    finally:
        await supervisor.stop()


async def test_stopping_while_a_child_waits_to_be_started_again_does_not_start_it(said):
    backoff = Backoff(first_seconds=1000)
    supervisor = Supervisor(
        Plan(services=(spec("a", "raise SystemExit(1)"),)), said.line, said.event, backoff
    )
    await supervisor.start()
    await eventually(lambda: said.deaths("a"), "it died")
    await supervisor.stop()
    assert len(said.deaths("a")) == 1


async def test_a_cancelled_child_is_ended(said):
    read, write = os.pipe()
    child = Child(spec("a", SLEEPER), read, said.line, said.event)
    task = asyncio.create_task(child.run_once())
    await eventually(lambda: said.lines, "it is up")
    pid = child.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not is_running(pid), "it ended")
    os.close(read)
    os.close(write)


async def test_no_descriptors_are_left_open(said):
    def open_descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))

    await asyncio.sleep(0)
    before = open_descriptors()
    supervisor = Supervisor(Plan(services=(spec("a", SLEEPER),)), said.line, said.event)
    await supervisor.start()
    await supervisor.stop()
    assert len(open_descriptors()) <= len(before)
