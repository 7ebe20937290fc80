"""The whole life of a server, with the real Valkey and small stand-ins for the API and the worker."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys

import pytest
from rich.console import Console

from cli import serve
from cli.data_files import server_file
from cli.errors import DataDirInUseError, ServeError
from cli.serve import running_server, server_url
from cli.server_discovery import find_local_server, is_healthy
from cli.server_log import ServerLog
from cli.signals import Interruption
from settings import Settings
from tests.cli.processes import REPOSITORY, eventually, eventually_sync, is_running

# Plays each of the processes: says its environment, answers /healthz on the socket it inherits.
CHILD = """
import http.server, json, os, signal, socket, sys, threading, time
name, arguments = sys.argv[1], sys.argv[2:]
wanted = ("DATA_DIR", "REDIS_URL", "SLOTS", "HOST", "PORT")
print("INFO", name, json.dumps({key: os.environ[f"FRAMEWISE_{key}"] for key in wanted}), flush=True)
if name == "migrate":
    sys.exit(int(os.environ.get("MIGRATE_EXIT_CODE", "0")))
if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if name == "api":
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()
        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(arguments[1]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
time.sleep(1000)
"""


SERVE = (sys.executable, "-m", "tests.cli.serve_with_stand_ins", "serve")


def stand_in_command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", CHILD, *arguments)


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch):
    monkeypatch.setattr(serve, "framewise_command", stand_in_command)
    monkeypatch.setattr(serve, "_WORKER_SETTLE_SECONDS", 0)
    for name in ("REDIS_URL", "FRAMEWISE_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "data"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def serving(data_dir, console: Console, **options):
    settings = Settings(data_dir=data_dir, **{"port": 0, "slots": 3} | options)
    return running_server(settings, ServerLog(console), Interruption())


def text(console: Console) -> str:
    return console.file.getvalue()


async def test_it_starts_answers_and_leaves_nothing_behind(data_dir, console):
    async with serving(data_dir, console) as server:
        await eventually(lambda: "INFO worker" in text(console), "the worker is up")
        assert await find_local_server(data_dir) == server
        assert stat.S_IMODE(server_file(data_dir).stat().st_mode) == 0o600
        assert json.loads(server_file(data_dir).read_text()) == {"url": server.url, "pid": os.getpid()}
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert not server_file(data_dir).exists()
    assert not await is_healthy(server.url)
    assert not list(data_dir.rglob("*.sock"))
    port = server.url.rpartition(":")[2]
    said = next(line for line in text(console).splitlines() if "INFO worker" in line)
    assert json.loads(said[said.index("{") :]) == {
        "DATA_DIR": str(data_dir),
        "REDIS_URL": f"unix://{data_dir}/valkey/valkey.sock",
        "SLOTS": "3",
        "HOST": "127.0.0.1",
        "PORT": port,
    }
    order = [line.split()[1] for line in text(console).splitlines()]
    assert order.index("valkey") < order.index("migrate") < order.index("worker")


async def test_a_given_redis_is_used_instead_of_one_of_our_own(data_dir, console):
    async with serving(data_dir, console, redis_url="redis://example.invalid:6379/3"):
        assert not (data_dir / "valkey").exists()
    assert '"REDIS_URL": "redis://example.invalid:6379/3"' in text(console)
    assert "valkey" not in text(console)


async def test_a_long_data_folder_still_gets_a_socket(tmp_path, console):
    async with serving(tmp_path / ("d" * 150), console):
        pass
    assert "valkey   ready" in text(console)


async def test_while_it_runs_nobody_else_can_serve_the_folder(data_dir, console):
    async with serving(data_dir, console) as server:
        with pytest.raises(DataDirInUseError, match=f"already runs on .* at {server.url}"):
            async with serving(data_dir, console):
                pass
        assert await is_healthy(server.url)
    async with serving(data_dir, console):
        pass


async def test_a_port_in_use_is_said_before_anything_starts(data_dir, console):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServeError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
            async with serving(data_dir, console, port=port):
                pass
    assert text(console) == ""
    assert not (data_dir / "valkey").exists()


async def test_an_address_that_is_not_ours_is_said(data_dir, console):
    with pytest.raises(ServeError, match=r"Cannot listen on 192\.0\.2\.1"):
        async with serving(data_dir, console, host="192.0.2.1"):
            pass


async def test_a_folder_that_cannot_be_made_is_said(tmp_path, console):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServeError, match=r"The data folder .* cannot be used"):
        async with serving(tmp_path / "file" / "data", console):
            pass


async def test_a_failed_migration_stops_the_start_and_what_was_started(data_dir, console, monkeypatch):
    monkeypatch.setenv("MIGRATE_EXIT_CODE", "1")
    with pytest.raises(ServeError, match="migrate failed"):
        async with serving(data_dir, console):
            pass
    assert not server_file(data_dir).exists()
    assert not list(data_dir.rglob("*.sock"))


async def test_callers_wait_while_the_api_starts_again(data_dir, console):
    others = children_of(os.getpid())
    async with serving(data_dir, console) as server:
        api = next(pid for pid, command in set(children_of(os.getpid())) - set(others) if " api " in command)
        os.kill(api, signal.SIGKILL)
        await eventually(lambda: "api      ended (SIGKILL)" in text(console), "its death was noticed")
        assert await is_healthy(server.url)


def children_of(parent: int) -> list[tuple[int, str]]:
    """Pid and last arguments of each child process."""
    pids = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    return [(int(pid), arguments_of(int(pid))) for pid in pids]


def arguments_of(pid: int) -> str:
    return (
        subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
        + " "
    )


@pytest.fixture
def command(data_dir):
    """Starts `framewise serve` with stand-ins; ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def start(*more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*SERVE, "--port", "0", "--data-dir", str(data_dir), *more],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> str:
    read = ""
    while wanted not in read:
        line = process.stdout.readline()
        assert line, f"it ended without saying {wanted!r}: {read}"
        read += line
    return read


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(command, data_dir, number):
    process = command()
    banner = wait_for_line(process, "Ctrl-C")
    url = json.loads(server_file(data_dir).read_text())["url"]
    assert f"{url}/graphql" in banner
    assert f"framewise analyze --data-dir {data_dir} VIDEO.mp4" in banner
    assert re.search(r"Models +\d+ of \d+ ready", banner)
    children = [pid for pid, _ in children_of(process.pid)]
    assert len(children) == 3
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.endswith("Stopped.\n")
    assert "\x1b" not in banner + output
    assert not any(is_running(pid) for pid in children)
    assert not server_file(data_dir).exists()


def test_killed_it_leaves_no_orphan_and_the_folder_can_be_served_again(command, data_dir):
    process = command()
    wait_for_line(process, "Ctrl-C")
    children = [pid for pid, _ in children_of(process.pid)]
    assert len(children) == 3
    process.kill()
    process.wait()
    for pid in children:
        eventually_sync(lambda pid=pid: not is_running(pid), "the child ended with the supervisor")
    assert server_file(data_dir).exists()
    assert asyncio.run(find_local_server(data_dir)) is None
    again = command()
    wait_for_line(again, "Ctrl-C")


def test_a_second_signal_ends_at_once_even_what_does_not_listen(command, monkeypatch):
    monkeypatch.setenv("STUBBORN", "1")
    process = command()
    wait_for_line(process, "Ctrl-C")
    children = [pid for pid, _ in children_of(process.pid)]
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "Stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    for pid in children:
        eventually_sync(lambda pid=pid: not is_running(pid), "it was ended by force")


def test_a_second_server_on_the_folder_names_the_first(command, data_dir):
    wait_for_line(command(), "Ctrl-C")
    url = json.loads(server_file(data_dir).read_text())["url"]
    second = command()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert output.startswith(f"Error: A server already runs on {data_dir}, at {url}")


def test_the_address_for_this_machine():
    assert server_url("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert server_url("0.0.0.0", 8000) == "http://127.0.0.1:8000"
    assert server_url("::", 8000) == "http://[::1]:8000"
    assert server_url("localhost", 8000) == "http://localhost:8000"
