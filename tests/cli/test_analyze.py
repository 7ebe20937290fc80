import asyncio
import io
import json
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from cli import analysis_run
from cli.analyze import analyze, prepare
from cli.analyze_options import AnalyzeOptions
from cli.board import Board, Stage
from cli.client import FramewiseClient
from cli.errors import CliError, SettingsRefusedError
from cli.model_choice import choose_model
from cli.operations import RemoteModel
from tests.cli import stand_in
from tests.cli.stand_in import LOGIN, OVERLAY


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def shown(console: Console) -> str:
    return console.file.getvalue()


def video(tmp_path, name: str, content: bytes = b"frames"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def run(url: str, console: Console, *videos, **options) -> tuple[int, Board]:
    board, outputs = prepare(AnalyzeOptions(videos=videos, **options))
    async with FramewiseClient(url, login=LOGIN) as client:
        await client.sign_in()
        code = await analyze(client, AnalyzeOptions(videos=videos, **options), board, outputs, console)
    return code, board


async def test_a_video_is_uploaded_analysed_and_its_results_are_written_beside_it(
    url, world, console, tmp_path
):
    content = os.urandom(3_000_001)
    path = video(tmp_path, "clip.mp4", content)
    code, board = await run(url, console, path)
    assert code == 0
    assert list(world.uploads.values()) == [content]
    assert path.read_bytes() == content
    assert json.loads((tmp_path / "clip.framewise.json").read_text()) == {
        "analysis": "analysis-0",
        "frames": 20,
    }
    assert (tmp_path / "clip.framewise.mp4").read_bytes() == OVERLAY
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "clip.framewise.json",
        "clip.framewise.mp4",
        "clip.mp4",
    ]
    (row,) = board
    assert (row.stage, row.duration_seconds, row.uploaded_bytes) == (Stage.DONE, 8.0, len(content))
    assert world.calls[-1] == "signOut"
    text = shown(console)
    assert re.search(r"clip.mp4 +done +20 +8 s +face +40 +1 *\n +7 skipped", text)
    assert f"  {tmp_path}/clip.framewise.json" in text
    assert "\x1b" not in text


async def test_people_that_were_seen_are_counted_in_the_end(url, world, console, tmp_path):
    await run(url, console, video(tmp_path, "clip.mp4"), create_people=True)
    text = shown(console)
    assert "\nclip.mp4: 3 people seen\n" in text
    assert f"the GraphQL query `people` of {url}/graphql" in text


async def test_the_settings_reach_the_server(url, world, console, tmp_path):
    await run(
        url,
        console,
        video(tmp_path, "clip.mp4"),
        ml_model="things",
        tracker="OC_SORT",
        frame_stride=3,
        min_confidence=0.4,
        labels=("dog",),
        start_seconds=1.5,
        end_seconds=4.0,
        overlay=False,
    )
    settings = world.analyses["analysis-0"].settings
    assert settings.pop("tracker").name == "OC_SORT"
    assert settings == {
        "ml_model": "things",
        "frame_stride": 3,
        "min_confidence": 0.4,
        "labels": ["dog"],
        "start_seconds": 1.5,
        "end_seconds": 4.0,
        "overlay": False,
    }
    assert not (tmp_path / "clip.framewise.mp4").exists()


async def test_crops_and_pictures_are_fetched_where_they_were_asked_for(url, world, console, tmp_path):
    code, (row,) = await run(
        url,
        console,
        video(tmp_path, "clip.mp4"),
        crops=True,
        pictures=True,
        overlay=False,
        motion_gating=False,
        tracker_parameters={"lostTrackSeconds": 2.5},
    )
    assert code == 0
    assert sorted(path.name for path in row.files) == [
        "clip.framewise.crops.zip",
        "clip.framewise.heat-map.png",
        "clip.framewise.json",
        "clip.framewise.timeline.png",
        "clip.framewise.trajectories.png",
    ]
    assert all(path.is_file() for path in row.files)
    settings = world.analyses["analysis-0"].settings
    assert (settings["crops"], settings["pictures"], settings["motion_gating"]) == (True, True, False)
    assert settings["tracker_parameters"].lost_track_seconds == 2.5
    assert "Analysis of clip.mp4: analysis-0" in shown(console)


async def test_the_default_model_is_the_first_face_detector_that_is_ready(url, world, console, tmp_path):
    await run(url, console, video(tmp_path, "clip.mp4"))
    assert world.analyses["analysis-0"].settings["ml_model"] == "faces-plain"


async def test_a_large_file_is_read_piece_by_piece(url, world, console, tmp_path):
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.write(b"bad")  # so that the stand-in lets go of it
        file.truncate(200 * 2**20)
    sizes: list[int] = []
    async with FramewiseClient(url, login=LOGIN) as client:
        await client.sign_in()
        await client.upload(path, {"mlModel": "things"}, sizes.append)
    assert sum(sizes) == 200 * 2**20
    assert max(sizes) <= 256 * 1024


async def test_bad_files_are_reported_one_by_one_and_the_others_go_on(url, world, console, tmp_path):
    good = video(tmp_path, "good.mp4")
    code, board = await run(
        url,
        console,
        video(tmp_path, "bad.mp4", b"bad"),
        video(tmp_path, "late.mp4", b"late"),
        video(tmp_path, "crash.mp4", b"crash"),
        video(tmp_path, "large.mp4", b"toolarge"),
        tmp_path / "missing.mp4",
        tmp_path,
        good,
    )
    assert code == 1
    assert {row.path.name: (row.stage, row.error) for row in board} == {
        "bad.mp4": (Stage.REJECTED, "This is no video."),
        "late.mp4": (Stage.REJECTED, "The file is cut off."),
        "crash.mp4": (Stage.FAILED, "The decoder gave up three times."),
        "large.mp4": (Stage.REJECTED, "The file is too large."),
        "missing.mp4": (Stage.FAILED, "there is no such file"),
        tmp_path.name: (Stage.FAILED, "is a folder"),
        "good.mp4": (Stage.DONE, None),
    }
    assert "late.mp4: The file is cut off." in shown(console)


async def test_an_unknown_model_or_label_is_refused_before_the_upload(url, world, console, tmp_path):
    path = video(tmp_path, "clip.mp4")
    with pytest.raises(CliError, match="no model 'thing': did you mean things"):
        await run(url, console, path, ml_model="thing")
    with pytest.raises(CliError, match="no label 'dogs': did you mean dog"):
        await run(url, console, path, ml_model="things", labels=("dogs",))
    with pytest.raises(CliError, match="choose from cup, dog, person"):
        await run(url, console, path, ml_model="things", labels=("zebra",))
    assert not world.uploads


async def test_less_confidence_than_the_model_keeps_is_refused_before_the_upload(
    url, world, console, tmp_path
):
    path = video(tmp_path, "clip.mp4")
    message = r"--min-confidence must be at least 0\.3 with the model things"
    with pytest.raises(CliError, match=message) as refused:
        await run(url, console, path, ml_model="things", min_confidence=0.29)
    assert refused.value.exit_code == 2
    assert not world.uploads
    code, _ = await run(url, console, path, ml_model="things", min_confidence=0.3)
    assert code == 0


async def test_paths_are_said_as_they_were_typed(url, world, console, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/clip.mp4", "b/bad.mp4"):
        video(tmp_path, name, name.rpartition("/")[2].encode())
    await run(url, console, Path("a/clip.mp4"), Path("b/bad.mp4"), output_dir=Path("results"))
    lines = shown(console).splitlines()
    assert "b/bad.mp4: This is no video." in lines
    assert lines[-2:] == [
        "  results/clip.framewise.json  (from a/clip.mp4)",
        "  results/clip.framewise.mp4  (from a/clip.mp4)",
    ]


async def test_what_one_video_led_to_needs_no_source(url, world, console, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video(tmp_path, "clip.mp4")
    await run(url, console, Path("clip.mp4"))
    assert shown(console).splitlines()[-1] == "  clip.framewise.mp4"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the second upload is cut off
async def test_settings_that_the_server_refuses_end_the_run(url, world, console, tmp_path):
    with pytest.raises(SettingsRefusedError, match="frameStride is too large"):
        await run(url, console, video(tmp_path, "a.mp4"), video(tmp_path, "b.mp4"), frame_stride=9999)


def test_without_a_face_detector_that_is_ready_a_model_must_be_named():
    models = [RemoteModel("faces", "FACE_DETECTION", ("face",), 0.3, is_ready=False)]
    with pytest.raises(CliError, match="--model"):
        choose_model(models, None)


@pytest.mark.parametrize("code", [1012, 4401])
async def test_lost_connections_are_made_anew(url, world, console, tmp_path, code, monkeypatch):
    monkeypatch.setattr(analysis_run, "_FIRST_RECONNECT_SECONDS", 0.01)
    world.frames, world.socket_close_code, world.lose_sockets_at = 60, code, [5, 20, 40]
    exit_code, board = await run(url, console, video(tmp_path, "clip.mp4"))
    assert exit_code == 0
    assert world.sockets_opened >= 3
    assert board.rows[0].progress.frames_done == 60


async def test_an_ended_sign_in_is_renewed_on_the_way(url, world, console, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis_run, "_FIRST_RECONNECT_SECONDS", 0.01)
    world.frames, world.seconds_a_frame = 60, 0.02
    running = asyncio.create_task(run(url, console, video(tmp_path, "clip.mp4")))
    while not world.analyses:
        await asyncio.sleep(0.01)
    world.end_all_sign_ins()
    world.lose_sockets_at, world.socket_close_code = [world.analyses["analysis-0"].done + 3], 4403
    code, _ = await running
    assert code == 0
    assert "refreshSession" in world.calls
    assert world.calls.count("signIn") == 1


async def test_a_token_about_to_expire_is_renewed_before_it_is_used(url, world, console, tmp_path):
    world.token_seconds = 10
    code, _ = await run(url, console, video(tmp_path, "clip.mp4"))
    assert code == 0
    assert "refreshSession" in world.calls


async def test_without_sockets_it_asks_again_and_again(url, world, console, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis_run, "_POLL_SECONDS", 0.02)
    world.refuse_sockets = True
    code, _ = await run(url, console, video(tmp_path, "clip.mp4"))
    assert code == 0
    assert world.calls.count("analysis") > 2
    assert world.sockets_opened == 0


async def test_a_server_that_stays_away_ends_the_run_with_a_sentence(world, console, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis_run, "_GIVE_UP_SECONDS", 0.3)
    monkeypatch.setattr(analysis_run, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(analysis_run, "_POLL_SECONDS_WHILE_LIVE", 0.05)
    world.hold = True
    with stand_in.running(world) as url:
        running = asyncio.create_task(run(url, console, video(tmp_path, "clip.mp4")))
        while not world.sockets_opened or not world.analyses:
            await asyncio.sleep(0.01)
    with pytest.raises(CliError, match=r"Cannot reach http://127\.0\.0\.1"):
        await running


async def test_a_broken_download_is_tried_again_and_leaves_nothing_behind(url, world, console, tmp_path):
    world.broken_downloads = 1
    code, _ = await run(url, console, video(tmp_path, "clip.mp4"))
    assert code == 0
    assert (tmp_path / "clip.framewise.mp4").read_bytes() == OVERLAY
    assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part")]


async def test_a_download_that_breaks_each_time_fails_that_video_only(
    url, world, console, tmp_path, monkeypatch
):
    monkeypatch.setattr(analysis_run, "_DOWNLOAD_ATTEMPTS", 1)
    world.broken_downloads = 1
    code, board = await run(url, console, video(tmp_path, "a.mp4"), video(tmp_path, "b.mp4"))
    assert code == 1
    assert sorted(row.stage.value for row in board) == ["done", "failed"]


async def test_interrupted_it_cancels_what_runs_and_says_so(url, world, console, tmp_path):
    world.hold = True
    videos = [video(tmp_path, "a.mp4"), video(tmp_path, "b.mp4")]
    running = asyncio.create_task(run(url, console, *videos))
    while len(world.analyses) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {analysis.status for analysis in world.analyses.values()} == {"CANCELLED"}
    assert "2 videos cancelled." in shown(console)
    assert "Written" not in shown(console)


async def test_videos_of_one_name_get_results_of_their_own(url, world, console, tmp_path):
    videos = [video(tmp_path, f"{folder}/clip.mp4", folder.encode()) for folder in ("a", "b")]
    output = tmp_path / "results" / "today"
    code, board = await run(url, console, *videos, output_dir=output)
    assert code == 0
    assert sorted(entry.name for entry in output.iterdir()) == [
        "clip-2.framewise.json",
        "clip-2.framewise.mp4",
        "clip.framewise.json",
        "clip.framewise.mp4",
    ]
    for row in board:
        written = json.loads(row.files[0].read_text())["analysis"]
        assert world.uploads[world.analyses[written].name] == row.path.parent.name.encode()
        assert row.name == str(row.path)


async def test_a_video_given_twice_is_analysed_once(url, world, console, tmp_path):
    path = video(tmp_path, "clip.mp4")
    await run(url, console, path, tmp_path / "." / "clip.mp4")
    assert len(world.uploads) == 1
