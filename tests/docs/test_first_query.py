"""The commands of the documents do what they say, run as they are written against a server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import demo_clip
from tests.clients.node import skip_or_fail
from tests.docs.markdown import REPOSITORY, blocks, read

START_SECONDS = 60
FRAMES = 30
SHOWN_ADDRESS = "127.0.0.1:8000"


@dataclass(frozen=True)
class Place:
    """A folder like that of the repository, with `clip.mp4` and a server."""

    folder: Path
    address: str

    def run(self, script: str, *arguments: str) -> str:
        """Run commands of the documents in bash, against this server; what they print."""
        script = script.replace(SHOWN_ADDRESS, self.address)
        finished = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script, "bash", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not (shutil.which("bash") and shutil.which("curl")):
        skip_or_fail("The commands of the documents need bash and curl.")
    folder = tmp_path_factory.mktemp("first-query")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_clip, "FRAME_COUNT", FRAMES)
        demo_clip.demo_clip(folder).rename(folder / "clip.mp4")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "gql-cli").symlink_to(Path(sys.executable).parent / "gql-cli")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWISE_")}
    data_dir = folder / "data"
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--port", "0", "--slots", "2", "--data-dir", data_dir],
            cwd=REPOSITORY,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            yield Place(folder, _address(server, data_dir / "server.json", folder / "serve.log"))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _address(server: subprocess.Popen[bytes], file: Path, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    # Written before the processes are ready: a health check that is answered says that they are.
    address = json.loads(file.read_text())["url"].removeprefix("http://")
    while subprocess.run(["curl", "-sf", f"http://{address}/healthz"], capture_output=True).returncode:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return address


def marked_blocks(name: str) -> dict[str, str]:
    """The blocks of a document that are marked as tested."""
    return {block.name: block.text for block in blocks(read(name)) if block.name}


@pytest.mark.xdist_group("first_query")
def test_the_first_query_of_the_readme(place):
    parts = marked_blocks("README.md")
    assert list(parts) == ["sign up", "upload", "watch", "results"]
    marker = "=== next ==="
    printed = place.run(f"\necho; echo '{marker}'\n".join(parts.values()))
    signed_up, uploaded, watched, results = (text.strip() for text in printed.split(marker))
    assert json.loads(signed_up)["data"]["signUp"]["userErrors"] == []
    assert json.loads(uploaded)["data"]["uploadVideos"]["userErrors"] == []
    states = [json.loads(line)["analysisProgress"] for line in watched.splitlines()]
    assert states[-1]["status"] == "SUCCEEDED"
    assert states[-1]["counts"][0]["label"] == "face"
    analysis = json.loads(results)["data"]["analysis"]
    assert analysis["status"] == "SUCCEEDED"
    assert analysis["resultUrl"]
    assert analysis["overlayUrl"]
    assert len(analysis["detections"]["edges"]) == 2


@pytest.mark.xdist_group("first_query")
def test_the_python_example_of_the_api(place):
    (program,) = marked_blocks("docs/api.md").values()
    (place.folder / "watch.py").write_text(program)
    sign_up, upload = (marked_blocks("README.md")[name] for name in ("sign up", "upload"))
    watch = f'{sys.executable} watch.py ws://{SHOWN_ADDRESS}/graphql "$TOKEN" "$ID"'
    printed = place.run("\n".join([sign_up.replace('"ada"', '"grace"'), upload, "echo", watch]))
    assert "'status': 'SUCCEEDED'" in printed.splitlines()[-1]
