"""`framewise analyze`: upload videos, follow their analyses, fetch the results."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live

from cli import text
from cli.analysis_run import AnalysisRun
from cli.analyze_options import AnalyzeOptions, analysis_settings
from cli.board import Board, Row, Stage
from cli.client import FramewiseClient
from cli.outputs import OutputPaths, check_writable, plan_outputs
from cli.printing import say
from cli.progress_view import PlainProgress, ProgressView, summary_table

_DRAWINGS_PER_SECOND = 8
_PLAIN_INTERVAL_SECONDS = 1.0


def prepare(options: AnalyzeOptions) -> tuple[Board, dict[Path, OutputPaths]]:
    """Look at the files and folders before anything is started or sent.

    Files that cannot be read are on the board as failed, with the reason.

    Raises:
        CliError: Results could not be written.
    """
    videos = list({video.resolve(): video for video in options.videos}.values())
    rows = [_row(video, videos) for video in videos]
    outputs = plan_outputs(videos, options.output_dir)
    folders = {outputs[row.path].json.parent for row in rows if not row.stage.is_over}
    check_writable(folders, create=options.output_dir is not None)
    return Board(rows), outputs


def _row(video: Path, videos: Sequence[Path]) -> Row:
    shares_name = sum(other.name == video.name for other in videos) > 1
    row = Row(path=video, name=str(video) if shares_name else video.name)
    try:
        if not video.is_file():
            row.fail(
                "is a folder"
                if video.is_dir()
                else "is no file"
                if video.exists()
                else "there is no such file"
            )
            return row
        with video.open("rb"):
            row.size_bytes = video.stat().st_size
    except OSError as error:
        row.fail(f"cannot be read: {error.strerror}")
    return row


async def analyze(
    client: FramewiseClient,
    options: AnalyzeOptions,
    board: Board,
    outputs: Mapping[Path, OutputPaths],
    console: Console,
) -> int:
    """Analyse the videos of a board that `prepare` made; the exit code, 0 if all of them succeeded.

    Cancelled, it cancels the analyses that have not ended, then says what became of each video.

    Raises:
        CliError: The server cannot be used, does not know the model or a label, or the model keeps nothing
            of so little confidence.
    """
    if any(not row.stage.is_over for row in board):
        settings = await analysis_settings(client, options)
        console.print(f"Model: {settings['mlModel']}", style="dim", markup=False)
        run = AnalysisRun(client, settings, board, outputs)
        try:
            async with _shown(board, console):
                await run.all()
        except asyncio.CancelledError:
            console.print("Cancelling …", style="yellow")
            await run.cancel_all()
            _print_outcome(board, console)
            raise
    _print_outcome(board, console)
    if options.create_people:
        _print_people(board, console, client.endpoint)
    return 0 if all(row.stage is Stage.DONE for row in board) else 1


def _print_outcome(board: Board, console: Console) -> None:
    console.print(summary_table(board))
    for row in board:
        _print_counting(row, console)
    for row in board:
        if row.error:
            say(console, f"{row.path}: {row.error}", "red")
    for row in board:
        if row.analysis_id is not None and row.stage is Stage.DONE:
            say(console, f"Analysis of {row.name}: {row.analysis_id}")
    cancelled = sum(row.stage is Stage.CANCELLED for row in board)
    if cancelled:
        console.print(f"{cancelled} {text.plural('video', cancelled)} cancelled.", style="yellow")
    files = [(file, row.path) for row in board for file in row.files]
    if files:
        console.print("Written:", style="bold")
        for file, video in files:
            source = f"  (from {video})" if len(board) > 1 else ""
            say(console, f"  {file}{source}")


def _print_counting(row: Row, console: Console) -> None:
    if row.progress is None or row.stage is not Stage.DONE:
        return
    counted = [text.line_count(line) for line in row.progress.lines]
    counted += [text.zone_count(zone) for zone in row.progress.zones]
    if counted:
        console.print(f"Counted in {row.name}:", style="bold", markup=False, highlight=False)
        for said in counted:
            console.print(f"  {said}", markup=False, highlight=False)


def _print_people(board: Board, console: Console, endpoint: str) -> None:
    """How many people were seen in each video, and where they are."""
    seen = {
        row.name: row.progress.people for row in board if row.progress is not None and row.stage is Stage.DONE
    }
    lines = [f"{name}: {text.people_count(people)}" for name, people in seen.items()]
    if any(seen.values()):
        lines.append(f"Who they are: the GraphQL query `people` of {endpoint} shows and names them.")
    for line in lines:
        say(console, line)


@asynccontextmanager
async def _shown(board: Board, console: Console) -> AsyncIterator[None]:
    """The board, drawn again and again on a terminal, printed as lines elsewhere."""
    if console.is_terminal:
        view = ProgressView(board)
        with Live(
            get_renderable=lambda: view,
            console=console,
            refresh_per_second=_DRAWINGS_PER_SECOND,
            transient=True,
        ):
            yield
        return
    lines = PlainProgress(board, console)

    async def print_changes() -> None:
        while True:
            lines.print_changes()
            await asyncio.sleep(_PLAIN_INTERVAL_SECONDS)

    printing = asyncio.create_task(print_changes())
    try:
        yield
    finally:
        printing.cancel()
        lines.print_changes()
