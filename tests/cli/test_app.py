"""The commands as they are typed, each in a process of its own."""

import asyncio
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys

import av
import pytest

from cli.demo_clip import FRAME_COUNT, demo_clip
from tests.cli import stand_in
from tests.cli.processes import REPOSITORY, eventually_sync, is_running
from tests.cli.stand_in import World


@pytest.fixture
def environment(tmp_path_factory) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FRAMEWISE_", "REDIS_"))
    }
    return kept | {"FRAMEWISE_DATA_DIR": str(tmp_path_factory.mktemp("d") / "data")}


@pytest.fixture
def framewise(environment):
    """Runs a command to its end."""

    def run(*arguments: object, input: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=REPOSITORY,
            env=environment | more,
            capture_output=True,
            text=True,
            input=input,
            timeout=300,
        )

    return run


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cli", *map(str, arguments)]


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from cli.app import app; import cli.errors\n"
        "heavy = {'av', 'numpy', 'cv2', 'gql', 'aiohttp', 'uvicorn', 'tortoise', 'pydantic', 'rich.live'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_every_command_has_help(framewise):
    commands = [
        "serve",
        "api",
        "worker",
        "migrate",
        "analyze",
        "compare",
        "demo",
        "models list",
        "models pull",
        "models check",
        "models bench",
        "users create",
        "users admin",
    ]
    for name in commands:
        done = framewise(*name.split(), "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["analyze", "nothing.mp4"], 1, "nothing.mp4: there is no such file"),
        (["analyze", "README", "--start", "5", "--end", "5"], 2, "--end must be later than --start"),
        (["analyze", "x", "--server", "localhost:8000"], 2, "must be an address like http"),
        (["analyze", "x", "--stride", "0"], 2, "Invalid value"),
        (["analyze", "x", "--min-confidence", "1.5"], 2, "Invalid value"),
        (["analyze", "x", "--start", "inf"], 2, "Invalid value for '--start': must be a finite number"),
        (["analyze", "x", "--start", "nan"], 2, "Invalid value for '--start'"),
        (["analyze", "x", "--end", "1e400"], 2, "Invalid value for '--end': must be a finite number"),
        (["analyze", "x", "--min-confidence", "nan"], 2, "Invalid value for '--min-confidence'"),
        (["analyze", "no/such.mp4"], 1, "Error: no/such.mp4: there is no such file"),
        (["analyze", "x", "--tracker", "magic"], 2, "Invalid value"),
        (["demo", "--video", "nothing.mp4"], 2, "nothing.mp4: there is no such file"),
        (["models", "pull"], 2, "or give --all"),
        (["models", "pull", "yunet"], 2, "yunet"),
        (["serve", "--slots", "0"], 2, "Invalid value"),
        (["api"], 2, "Set FRAMEWISE_REDIS_URL"),
        (["worker"], 2, "Set FRAMEWISE_REDIS_URL"),
        (["users", "create", "x", "--password-stdin"], 1, "username"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(framewise, environment, arguments, code, message):
    done = framewise(*arguments, input="a password of some length\n")
    assert done.returncode == code, done.stderr
    assert message in re.sub(r"\s*│?\n│? *", " ", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_is_said(framewise):
    done = framewise("migrate", FRAMEWISE_DATABASE_URL="postgres://nobody:secret@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert "\nError: The database cannot be used: " in done.stderr
    assert "secret" not in done.stderr


def test_a_wrong_setting_is_named(framewise):
    done = framewise("migrate", FRAMEWISE_LOG_LEVEL="loud")
    assert done.returncode == 2
    assert "DEBUG, INFO, WARNING or ERROR" in done.stderr
    done = framewise("migrate", FRAMEWISE_PORT="many")
    assert done.returncode == 2
    assert "FRAMEWISE_PORT: " in done.stderr


def test_models_are_listed_and_pulled_from_a_mirror(framewise, weights_dir):
    def ready(*options: object) -> dict[str, str]:
        lines = [line.split() for line in framewise("models", "list", *options).stdout.splitlines()]
        return {words[0]: words[-1] for words in lines if words}

    assert ready()["opencv-haar-face"] == "yes"
    assert ready()["yunet-2026may"] == "no"
    assert ready("--mirror", weights_dir)["yunet-2026may"] == "yes"
    pulled = framewise("models", "pull", "yunet-2026may", "opencv-hog-person", "--mirror", weights_dir)
    assert pulled.returncode == 0, pulled.stderr
    assert "opencv-hog-person: needs no weights" in pulled.stdout


def test_a_weights_file_that_is_not_to_be_had_is_said(framewise, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "yolox_nano.onnx").write_bytes(b"\0" * 3_660_092)
    done = framewise("models", "pull", "yolox-nano", "--mirror", mirror)
    assert done.returncode == 1
    assert "yolox-nano: " in done.stdout
    assert "SHA-256" in done.stdout


def test_the_database_is_migrated_once_and_accounts_are_made(framewise):
    assert "Applied" in framewise("migrate").stdout
    assert framewise("migrate").stdout == "The database is up to date.\n"
    made = framewise(
        "users", "create", "Ada", "--password-stdin", "--full-name", "Ada L", input="long enough 1\n"
    )
    assert (made.returncode, made.stdout) == (0, "Made the account Ada.\n"), made.stderr
    again = framewise("users", "create", "ada", "--password-stdin", input="long enough 1\n")
    assert again.returncode == 1
    assert "taken" in again.stderr
    made = framewise("users", "create", "eve", "--admin", "--password-stdin", input="long enough 1\n")
    assert made.returncode == 0, made.stderr
    assert framewise("users", "admin", "ADA").stdout == "Ada is an administrator.\n"
    assert framewise("users", "admin", "Ada", "--revoke").stdout == "Ada is no administrator any more.\n"
    unknown = framewise("users", "admin", "nobody")
    assert (unknown.returncode, "no account of this name" in unknown.stderr) == (1, True)


def test_a_remote_server_takes_username_and_password_or_a_token(framewise, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"frames")
    world = World(accounts={"ada": "secret one"})
    with stand_in.running(world) as url:
        analyze = ("analyze", tmp_path / "clip.mp4", "--server", url)
        done = framewise(*analyze, FRAMEWISE_USERNAME="ada", FRAMEWISE_PASSWORD="secret one")
        assert done.returncode == 0, done.stderr
        done = framewise(*analyze, FRAMEWISE_USERNAME="ada", FRAMEWISE_PASSWORD="secret two")
        assert done.returncode == 1
        assert "Cannot sign in as ada" in done.stderr
        done = framewise(*analyze, FRAMEWISE_TOKEN=world.new_session().access_token)
        assert done.returncode == 0, done.stderr
        done = framewise(*analyze, "--output", "/proc/nowhere", FRAMEWISE_TOKEN="x")
        assert done.returncode == 1
        assert "Cannot write the results to /proc/nowhere" in done.stderr
    assert len(world.uploads) == 2
    done = framewise(*analyze, FRAMEWISE_TOKEN="x")
    assert done.returncode == 1
    assert f"Cannot reach {url}" in done.stderr


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "Give --username and FRAMEWISE_PASSWORD, or FRAMEWISE_TOKEN, to sign in at"),
        ({"FRAMEWISE_USERNAME": "ada"}, "Give FRAMEWISE_PASSWORD, to sign in at"),
        ({"FRAMEWISE_PASSWORD": "secret"}, "Give --username and FRAMEWISE_PASSWORD, or FRAMEWISE_TOKEN"),
    ],
)
def test_without_a_terminal_nobody_is_asked_who_they_are(framewise, tmp_path, given, wanted):
    (tmp_path / "clip.mp4").write_bytes(b"frames")
    done = framewise("analyze", tmp_path / "clip.mp4", "--server", "http://127.0.0.1:9", input="", **given)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {wanted}")
    assert done.stdout == ""


def said_at_a_terminal(environment, *arguments: object, typed: str = "") -> tuple[int, str]:
    """Runs a command at a terminal of its own; the exit code and everything it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment | {"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    try:
        with contextlib.suppress(OSError):  # what Linux answers once nobody has the other end open
            while piece := os.read(ours, 4096):
                said += piece
                if typed and b"Username at" in said:
                    os.write(ours, typed.encode())
                    typed = ""
        return process.wait(timeout=60), said.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_who_you_are_is_asked_only_once_the_server_answers(environment, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"frames")
    world = World(accounts={"ada": "secret one"})
    with_password = environment | {"FRAMEWISE_PASSWORD": "secret one"}
    with stand_in.running(world) as url:
        analyze = ("analyze", tmp_path / "clip.mp4", "--server", url)
        code, said = said_at_a_terminal(with_password, *analyze, typed="ada\n")
        assert code == 0, said
        assert f"Username at {url}" in said
        world.is_well = False
        code, said = said_at_a_terminal(with_password, *analyze)
        assert code == 1
        assert "/healthz answered with HTTP status 503" in said
        assert "Username" not in said
    code, said = said_at_a_terminal(environment, *analyze)
    assert code == 1
    assert f"Cannot reach {url}" in said
    assert "Username" not in said


def descendants(pid: int) -> set[int]:
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (row.split() for row in rows.splitlines())}
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found - {pid}


def test_a_video_goes_through_a_server_of_its_own_and_nothing_stays(framewise, environment, tmp_path):
    clip = shutil.copy(demo_clip(tmp_path / "made"), tmp_path / "clip.mp4")
    (tmp_path / "notes.mp4").write_text("not a video at all")
    done = framewise("analyze", clip, tmp_path / "notes.mp4", "--model", "opencv-haar-face", "--stride", 10)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"clip.mp4 +done +{FRAME_COUNT // 10} +8 s +face +\d+", done.stdout), done.stdout
    assert re.search(r"notes.mp4 +rejected", done.stdout)
    assert "\x1b" not in done.stdout
    result = json.loads((tmp_path / "clip.framewise.json").read_text())
    assert result
    with av.open(str(tmp_path / "clip.framewise.mp4")) as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == FRAME_COUNT
    data_dir = environment["FRAMEWISE_DATA_DIR"]
    left = subprocess.run(["pgrep", "-f", data_dir], capture_output=True, text=True).stdout
    assert left == ""


def test_a_local_account_is_made_even_where_nobody_may_sign_up(framewise, environment, tmp_path):
    clip = shutil.copy(demo_clip(tmp_path / "made"), tmp_path / "clip.mp4")
    done = framewise(
        "analyze",
        clip,
        "--model",
        "opencv-haar-face",
        "--stride",
        50,
        "--no-overlay",
        FRAMEWISE_ALLOW_SIGN_UP="0",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_analyses_its_clip_and_keeps_serving(environment, weights_dir):
    process = subprocess.Popen(
        command("demo", "--port", 0),
        cwd=REPOSITORY,
        env=environment | {"FRAMEWISE_WEIGHTS_MIRROR": str(weights_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert re.search(rf"grace_hopper.mp4 +done +{FRAME_COUNT} +8 s +face +\d+ +[1-9]", said), said
        url = re.search(r"http://127\.0\.0\.1:\d+", said)[0]
        assert "Sign in as" in said
        from cli.server_discovery import is_healthy

        assert asyncio.run(is_healthy(url))
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
        for pid in children:
            eventually_sync(lambda pid=pid: not is_running(pid), "everything ended")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["nope", "yolox-nano"])
@pytest.mark.parametrize("process", ["serve", "api", "worker"])
def test_a_server_does_not_start_with_a_model_that_describes_no_faces(framewise, process, name):
    done = framewise(process, FRAMEWISE_FACE_EMBEDDING_MODEL=name, FRAMEWISE_REDIS_URL="redis://127.0.0.1:1")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Error: Wrong settings. FRAMEWISE_FACE_EMBEDDING_MODEL: ")
    assert done.stderr.endswith(": there are dlib-resnet, mobilefacenet, sface\n")
    assert "Traceback" not in done.stderr


def test_looking_at_the_model_that_describes_faces_imports_nothing_heavy(environment):
    program = (
        "import sys; from cli.settings_options import settings_with; settings_with()\n"
        "print({'cv2', 'numpy', 'onnxruntime', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=environment | {"FRAMEWISE_FACE_EMBEDDING_MODEL": "sface"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "set()", done.stderr
