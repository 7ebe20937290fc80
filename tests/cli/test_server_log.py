import io
import logging

from rich.console import Console

from cli.server_log import ServerLog, open_log_file


def shown(console: Console) -> list[str]:
    return [line.split(" ", 1)[1] for line in console.file.getvalue().splitlines()]


def test_lines_below_the_level_are_left_out_with_the_lines_that_belong_to_them(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    with open_log_file(tmp_path) as file:
        log = ServerLog(console, level=logging.WARNING, file=file)
        for text in ("INFO x: fine", "  more of it", "ERROR x: broken", "Traceback", "INFO x: fine again"):
            log.line("api", text)
        log.line("worker", "says no level")
        log.event("api", "ready", logging.INFO)
        log.event("api", "ended", logging.WARNING)
    assert shown(console) == ["api      ERROR x: broken", "api      Traceback", "api      ended"]
    assert len((tmp_path / "run" / "server.log").read_text().splitlines()) == 8


def test_what_a_process_says_is_text_and_is_not_broken_into_lines(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    ServerLog(console).line("api", "INFO [red]not markup[/red] " + "x" * 200)
    assert shown(console) == ["api      INFO [red]not markup[/red] " + "x" * 200]
