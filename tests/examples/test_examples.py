"""Every example does what it says, against a real `framewise serve`."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node import NodeClients, skip_or_fail
from tests.docs.markdown import read
from tests.e2e.server import PASSWORD, Server, running_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALL = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".sh", ".py", ".mjs"))
PEOPLE = "people_gql.py"
# The last one uploads only, and is tested with the other clients of resumable uploads.
COUNTING = [name for name in ALL if name not in (PEOPLE, "upload_tus.mjs")]
SCRIPTS = [*COUNTING, PEOPLE]

pytestmark = [pytest.mark.network_clients, pytest.mark.xdist_group("conformance")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("examples"), weights_mirror=weights_dir, slots=1) as server:
        yield server


@pytest.mark.parametrize("script", COUNTING)
async def test_an_example_counts_what_is_in_a_video(
    node_clients: NodeClients, server: Server, media_dir: Path, tmp_path: Path, script: str
) -> None:
    username = f"user.of.{script.partition('.')[0]}"
    await server.sign_up(username)
    status, output = await run(command(script, node_clients, tmp_path), server, username, media_dir)
    assert status == 0, output
    assert re.search(r"^(QUEUED|RUNNING|SUCCEEDED) \d+ %$", output, re.M), output
    assert re.search(r"^SUCCEEDED 100 %$", output, re.M), output
    assert re.search(r"^face: [1-9]\d* detections, [1-9]\d* tracks$", output, re.M), output


async def test_an_example_names_who_is_in_a_video(
    node_clients: NodeClients, server: Server, media_dir: Path, tmp_path: Path
) -> None:
    await server.sign_up("user.of.people")
    start = command(PEOPLE, node_clients, tmp_path)
    for name in ("Ada Lovelace", "Somebody Else"):
        # The second time she is known.
        status, output = await run(start, server, "user.of.people", media_dir, name)
        assert status == 0, output
        assert re.search(r"^SUCCEEDED 100 %$", output, re.M), output
        assert re.search(r"^Ada Lovelace: \d+\.\d s, http\S+$", output, re.M), output


@pytest.mark.parametrize("script", SCRIPTS)
async def test_an_example_says_what_goes_wrong(
    node_clients: NodeClients, server: Server, media_dir: Path, tmp_path: Path, script: str
) -> None:
    name = ["Ada Lovelace"] if script == PEOPLE else []
    status, output = await run(command(script, node_clients, tmp_path), server, "nobody", media_dir, *name)
    assert status != 0
    assert "password" in output


def test_every_example_is_listed() -> None:
    linked = re.findall(r"^\| \[([^\]]+)\]\(\1\)", read("examples/README.md"), re.M)
    assert sorted(linked) == ALL


def command(script: str, node_clients: NodeClients, directory: Path) -> list[str]:
    path = EXAMPLES / script
    if path.suffix == ".py":
        return [sys.executable, str(path)]
    if path.suffix == ".sh":
        for tool in ("curl", "jq"):
            if shutil.which(tool) is None:
                skip_or_fail(f"{script} needs {tool}.")
        return ["bash", str(path)]
    # Node looks for packages beside the script: there they are in a person's project, here in another folder.
    shutil.copy(path, directory / script)
    (directory / "node_modules").symlink_to(EXAMPLES.parent / "tests" / "clients" / "node_modules")
    return [str(node_clients.node.node), str(directory / script)]


async def run(
    command: list[str], server: Server, username: str, media_dir: Path, *more: str
) -> tuple[int | None, str]:
    account = {"FRAMEWISE_USERNAME": username, "FRAMEWISE_PASSWORD": PASSWORD}
    process = await asyncio.create_subprocess_exec(
        *command,
        media_dir / "gestures" / "eat.mkv",
        *more,
        env=os.environ | {"FRAMEWISE_URL": server.url} | account,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(120):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()
