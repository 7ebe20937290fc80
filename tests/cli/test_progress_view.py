import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.board import Board, Row, Stage
from cli.operations import LabelCount, Progress
from cli.progress_view import PlainProgress, ProgressView, plain_line, summary_table


def progress(status="RUNNING", done=62, total=100, **more) -> Progress:
    values = {
        "analysis_id": "a",
        "status": status,
        "percent": 62.0,
        "frames_done": done,
        "frames_total": total,
        "frames_per_second": 85.4,
        "eta_seconds": 3.2,
        "error_message": None,
        "counts": (LabelCount("person", 3, 1), LabelCount("face", 1214, 12)),
    }
    return Progress(**values | more)


def row(name="clip.mp4", stage: Stage | None = None, **more) -> Row:
    made = Row(Path(name), name, size_bytes=2_500_000, **more)
    if stage is not None:
        made.stage = stage
    return made


def running(name="clip.mp4", **more) -> Row:
    made = row(name)
    made.take(progress(**more))
    return made


def drawn(*rows: Row, width=80, height=24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(ProgressView(Board(rows)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_people_are_shown_as_they_are_seen():
    *_, found = drawn(running(people=2))
    assert found == "  face 1,214 in 12 tracks, person 3 in 1 track, 2 people seen"
    assert drawn(running(people=1, counts=()))[-1] == "  1 person seen"
    assert plain_line(running(people=2)).endswith(", 2 people seen")
    finished = running(people=2)
    finished.stage = Stage.DONE
    assert plain_line(finished).endswith(", 2 people seen")


def test_a_running_video_shows_bar_frames_speed_time_left_and_counts():
    title, bar, found = drawn(running())
    assert title[2:] == f"clip.mp4{'62 of 100 frames, 85 fps, 3 s left':>70}"
    assert bar.startswith("  ━━━")
    assert bar.endswith(" 62%")
    assert found == "  face 1,214 in 12 tracks, person 3 in 1 track"


@pytest.mark.parametrize(
    ("made", "title", "below"),
    [
        (row(stage=Stage.UPLOADING, uploaded_bytes=500_000), "500 kB of 2.5 MB", "uploading"),
        (row(stage=Stage.UPLOADING, uploaded_bytes=2_500_000), "2.5 MB of 2.5 MB", "uploaded, being checked"),
        (running(counts=(), done=3), "3 of 100 frames, 85 fps, 3 s left", "nothing found so far"),
        (running(status="PAUSED", counts=()), "62 of 100 frames", "paused"),
        (running(done=100, counts=()), "100 of 100 frames, 3 s left", "making the result files"),
        (running(status="SUCCEEDED", done=100, counts=()), "100 of 100 frames", "fetching the results"),
    ],
)
def test_each_stage_says_what_happens(made, title, below):
    lines = drawn(made)
    assert lines[0].endswith(title)
    assert lines[2].strip() == below


def test_what_is_over_or_waits_takes_one_line():
    done = running(status="SUCCEEDED", done=100)
    done.stage = Stage.DONE
    failed, rejected, waiting = row("b.mp4"), row("c.mp4"), row("d.mp4")
    queued = running("e.mp4", status="QUEUED", done=0)
    failed.fail("The decoder gave up.")
    rejected.reject("This is no video.")
    assert drawn(done, failed, rejected, waiting, queued) == [
        "3 of 5 videos finished, 2 failed",
        "✓ clip.mp4  100 frames, face 1,214 in 12 tracks, person 3 in 1 track",
        "✗ b.mp4  The decoder gave up.",
        "✗ c.mp4  This is no video.",
        "· d.mp4  waiting",
        "· e.mp4  queued",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_it_never_takes_more_room_than_there_is(width):
    rows = [running(f"{'long name ' * 10}{number}.mp4") for number in range(50)]
    rows += [row(f"waiting {number}.mp4") for number in range(50)]
    lines = drawn(*rows, width=width, height=24)
    assert len(lines) < 24
    assert max(len(line) for line in lines) <= width
    assert lines[-1].strip().startswith(("94 more", "93 more"))


def test_nothing_breaks_where_only_ascii_can_be_shown():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    console.print(ProgressView(Board([running(), row(stage=Stage.FAILED), running(status="PAUSED")])))
    file.flush()
    assert b"62 of 100 frames" in file.buffer.getvalue()


def test_names_are_text_not_markup():
    assert "[red]x[/red].mp4" in drawn(running("[red]x[/red].mp4"))[0]


def test_a_plain_line_has_everything_in_words():
    assert plain_line(running()) == (
        "clip.mp4: running, 62%, 62 of 100 frames, 85 fps, 3 s left, "
        "face 1,214 in 12 tracks, person 3 in 1 track"
    )


def test_plain_lines_come_only_for_what_changed():
    rows = [running("a.mp4"), row("b.mp4")]
    console = Console(file=io.StringIO(), width=40)
    lines = PlainProgress(Board(rows), console)
    lines.print_changes()
    lines.print_changes()
    rows[1].fail("[b]cannot[/b] be read")
    lines.print_changes()
    text = console.file.getvalue()
    assert text.count("\n") == 2
    assert text.endswith("b.mp4: failed: [b]cannot[/b] be read\n")
    assert "\x1b" not in text


def test_the_summary_counts_by_label():
    done, failed = running(status="SUCCEEDED", done=100), row("b.mp4")
    done.stage, done.duration_seconds = Stage.DONE, 125.0
    failed.fail("no")
    console = Console(file=io.StringIO(), width=80)
    console.print(summary_table(Board([done, failed])))
    rows = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert rows[0] == ["Video", "Status", "Frames", "Length", "Label", "Detections", "Tracks"]
    assert rows[2:] == [
        ["clip.mp4", "done", "100", "2", "min", "05", "s", "face", "1,214", "12"],
        ["person", "3", "1"],
        ["b.mp4", "failed"],
    ]


@pytest.mark.parametrize(("width", "shown"), [(80, "40 skipped"), (30, "done, 100 frames (40 skipped)")])
def test_the_summary_says_how_many_frames_were_skipped(width, shown):
    done = running(status="SUCCEEDED", done=100)
    done.stage = Stage.DONE
    assert "skipped" not in " ".join(summary(done, width=width))
    done.frames_skipped = 40
    assert shown in " ".join(" ".join(summary(done, width=width)).split())


def summary(*rows: Row, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(summary_table(Board(rows)))
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_on_a_narrow_terminal_names_and_labels_stay_whole():
    done, nothing = running("my holiday video.mp4", done=100), running("b.mp4", counts=())
    done.stage = nothing.stage = Stage.DONE
    done.duration_seconds = 125.0
    failed = row("c.mp4")
    failed.fail("no")
    assert summary(done, nothing, failed, width=44) == [
        "my holiday video.mp4",
        "  done, 100 frames, 2 min 05 s",
        "  face 1,214 in 12 tracks",
        "  person 3 in 1 track",
        "b.mp4",
        "  done, 62 frames",
        "  nothing found",
        "c.mp4",
        "  failed",
    ]


@pytest.mark.parametrize("width", range(20, 121, 5))
def test_the_summary_fits_and_cuts_nothing(width):
    done = running("holiday.mp4", counts=(LabelCount("dining table", 1_234_567, 12),))
    done.stage, done.duration_seconds = Stage.DONE, 125.0
    lines = summary(done, width=width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for part in ("holiday.mp4", "2 min 05 s", "dining table", "1,234,567", "12"):
        assert part in text


def test_progress_never_goes_back_and_the_end_is_the_end():
    made = running()
    made.take(progress(percent=10.0, frames_done=1, done=1))
    assert made.progress.percent == 62.0
    made.take(progress(status="PAUSED", percent=10.0))
    assert (made.stage, made.progress.percent) == (Stage.PAUSED, 62.0)
    made.take(progress(status="SUCCEEDED", percent=100.0))
    made.take(progress(percent=99.0))
    assert (made.stage, made.progress.percent) == (Stage.SAVING, 100.0)


def test_progress_may_come_before_the_upload_is_answered():
    board = Board([row()])
    board.take(progress())
    assert board.rows[0].stage is Stage.WAITING
    board.start(board.rows[0], "a")
    assert board.rows[0].stage is Stage.RUNNING
