import os
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.outputs import check_writable, plan_outputs, written_at_once


def planned(videos: list[str], directory: str | None = None) -> list[tuple[str, str]]:
    paths = plan_outputs([Path(video) for video in videos], Path(directory) if directory else None)
    return [(str(output.json), str(output.overlay)) for output in paths.values()]


def test_results_lie_beside_their_video_or_in_the_folder():
    assert planned(["/v/a.mp4"]) == [("/v/a.framewise.json", "/v/a.framewise.mp4")]
    assert planned(["/v/a.b.mkv"], "/out") == [("/out/a.b.framewise.json", "/out/a.b.framewise.mp4")]


def test_videos_that_share_a_stem_get_numbers():
    results = planned(["/v/a.mp4", "/v/a.mov", "/w/a.mp4"], "/out")
    assert [Path(json).name for json, _ in results] == [
        "a.framewise.json",
        "a-2.framewise.json",
        "a-3.framewise.json",
    ]
    assert len({path for pair in planned(["/v/A.mp4", "/v/a.mov"]) for path in pair}) == 4


def test_a_result_never_takes_the_place_of_a_video():
    videos = ["/v/a.mp4", "/v/a.framewise.mp4"]
    results = planned(videos)
    assert not {path for pair in results for path in pair} & set(videos)
    assert results[0][1] == "/v/a-2.framewise.mp4"


def test_a_folder_is_made_if_it_was_asked_for(tmp_path):
    check_writable([tmp_path / "new" / "folder"], create=True)
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CliError, match=r"Cannot write the results to .*file.*--output"):
        check_writable([tmp_path / "file"], create=True)
    with pytest.raises(CliError, match="No such file"):
        check_writable([tmp_path / "missing"], create=False)


async def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.json"
    path.write_bytes(b"the one before")
    with pytest.raises(ZeroDivisionError):
        async with written_at_once(path) as file:
            file.write(b"half of the n" + bytes(1 // 0))
    assert path.read_bytes() == b"the one before"
    async with written_at_once(path) as file:
        file.write(b"the new one")
        file.flush()
        assert path.read_bytes() == b"the one before"
    assert path.read_bytes() == b"the new one"
    assert os.listdir(tmp_path) == ["result.json"]


async def test_a_full_disk_is_said(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    (tmp_path / f".result.json.{os.getpid()}.part").symlink_to(full)
    with pytest.raises(CliError, match="the disk is full"):
        async with written_at_once(tmp_path / "result.json") as file:
            file.write(b"x" * 100_000)
    assert os.listdir(tmp_path) == []
