import os
import signal

import pytest
import redis

from cli import valkey
from cli.children import ChildSpec
from cli.errors import ServeError
from cli.supervisor import Plan, Supervisor
from tests.cli.processes import eventually


@pytest.fixture
def short_path(tmp_path_factory):
    return tmp_path_factory.mktemp("v")


def supervisor_of(directory, socket) -> Supervisor:
    spec = ChildSpec(
        "valkey",
        valkey.server_command(valkey.find_server_program(), socket, directory),
        dict(os.environ),
        is_ready=lambda: valkey.is_answering(socket),
        log_file=valkey.log_path(directory),
    )
    return Supervisor(Plan(foundation=(spec,)), lambda *_: None, lambda *_: None)


async def test_it_serves_a_socket_only_and_keeps_what_it_was_told(short_path):
    directory = short_path / "a folder with spaces"
    directory.mkdir()
    socket = valkey.socket_path(directory)
    socket.parent.mkdir(exist_ok=True)
    for expected in (None, b"kept"):
        supervisor = supervisor_of(directory, socket)
        await supervisor.start()
        try:
            with redis.Redis.from_url(valkey.redis_url(socket)) as client:
                assert client.get("key") == expected
                client.set("key", "kept")
                assert client.config_get("port") == {"port": "0"}
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
                assert client.config_get("appendonly") == {"appendonly": "yes"}
        finally:
            await supervisor.stop()
    valkey.remove_socket(socket, directory)


async def test_killed_it_comes_back_with_its_data(short_path):
    socket = short_path / "valkey.sock"
    supervisor = supervisor_of(short_path, socket)
    await supervisor.start()
    child = supervisor.children["valkey"]
    try:
        with redis.Redis.from_url(valkey.redis_url(socket)) as client:
            client.set("key", "kept")
            os.kill(child.pid, signal.SIGKILL)
            await eventually(lambda: not child.ready.is_set(), "its death was noticed")
            await eventually(child.ready.is_set, "it runs again")
            assert client.get("key") == b"kept"
    finally:
        await supervisor.stop()


async def test_no_server_means_not_answering(tmp_path):
    assert not await valkey.is_answering(tmp_path / "nothing.sock")


def test_a_socket_path_too_long_for_the_kernel_goes_elsewhere(tmp_path):
    data_dir = tmp_path / ("d" * 120)
    socket = valkey.socket_path(data_dir)
    assert len(str(socket).encode()) <= valkey.LONGEST_SOCKET_PATH_BYTES
    assert data_dir not in socket.parents
    assert socket.parent.is_dir()
    socket.touch()
    valkey.remove_socket(socket, data_dir)
    assert not socket.parent.exists()


def test_a_server_on_the_path_is_preferred(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    packaged = valkey.find_server_program()
    for name in ("redis-server", "valkey-server"):
        program = tmp_path / name
        program.write_text("")
        program.chmod(0o755)
        assert valkey.find_server_program() == str(program)
    assert packaged.endswith("valkey-server")


def test_without_any_server_the_setting_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(ServeError, match="FRAMEWISE_REDIS_URL"):
        valkey.find_server_program()
