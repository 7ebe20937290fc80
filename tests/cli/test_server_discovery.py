import json
import os
import re
import stat
import subprocess
import sys

import pytest

from cli.data_files import lock_file, server_file
from cli.errors import DataDirInUseError
from cli.server_discovery import (
    DataDirLock,
    RunningServer,
    ServerUse,
    find_local_server,
    is_healthy,
    is_locked,
    read_server_file,
    write_server_file,
)
from tests.cli import stand_in
from tests.cli.processes import REPOSITORY
from tests.cli.stand_in import World


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path


def dead_pid() -> int:
    return int(
        subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout
    )


def test_the_server_file_is_private_and_read_back(data_dir):
    server = RunningServer("http://127.0.0.1:8000", os.getpid())
    write_server_file(data_dir, server)
    assert read_server_file(data_dir) == server
    assert stat.S_IMODE(server_file(data_dir).stat().st_mode) == 0o600
    assert json.loads(server_file(data_dir).read_text()) == {
        "url": "http://127.0.0.1:8000",
        "pid": os.getpid(),
    }
    assert [entry.name for entry in data_dir.iterdir() if entry.is_file()] == ["server.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"url": "http://x"}', '{"url": "http://x", "pid": -1}', "null"]
)
def test_a_broken_server_file_counts_as_none(data_dir, text):
    server_file(data_dir).write_text(text)
    assert read_server_file(data_dir) is None


def test_a_server_file_that_was_left_behind_counts_as_none(data_dir):
    write_server_file(data_dir, RunningServer("http://127.0.0.1:8000", dead_pid()))
    assert read_server_file(data_dir) is None


async def test_a_server_is_found_only_if_it_answers(data_dir):
    assert await find_local_server(data_dir) is None
    with stand_in.running(World()) as url:
        server = RunningServer(url, os.getpid())
        write_server_file(data_dir, server)
        assert await find_local_server(data_dir) == server
        assert await is_healthy(url)
    assert await find_local_server(data_dir) is None


def test_a_data_folder_has_one_server_whose_address_is_named(data_dir):
    first, second = DataDirLock(data_dir), DataDirLock(data_dir)
    first.acquire()
    assert is_locked(data_dir)
    with pytest.raises(DataDirInUseError, match="just starting or stopping"):
        second.acquire()
    write_server_file(data_dir, RunningServer("http://127.0.0.1:4711", os.getpid()))
    with pytest.raises(DataDirInUseError, match=re.escape("at http://127.0.0.1:4711")):
        second.acquire()
    first.release()
    assert not is_locked(data_dir)
    second.acquire()
    second.release()


def test_the_lock_goes_with_its_process(data_dir):
    program = (
        "import os, pathlib, sys\n"
        "from cli.server_discovery import DataDirLock\n"
        "DataDirLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(data_dir)], cwd=REPOSITORY)
    assert lock_file(data_dir).exists()
    assert not is_locked(data_dir)


def test_a_server_that_others_use_is_not_ours_to_stop(data_dir):
    owner, guest, late = ServerUse(data_dir), ServerUse(data_dir), ServerUse(data_dir)
    assert owner.begin()
    assert guest.begin()
    assert not owner.is_last()
    guest.end()
    assert owner.is_last()
    assert not late.begin()
    owner.end()
    assert late.begin()
    late.end()
