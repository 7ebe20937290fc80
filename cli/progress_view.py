"""The live view of `framewise analyze`: bars on a terminal, lines elsewhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli import text
from cli.board import Board, Row, Stage
from cli.printing import new_table, say

_LINES_OF_ACTIVE_ROW = 3
_STAGE_STYLES = {
    Stage.DONE: "green",
    Stage.FAILED: "red",
    Stage.REJECTED: "red",
    Stage.CANCELLED: "yellow",
    Stage.PAUSED: "yellow",
}
_MARKS = {
    Stage.DONE: ("✓", "+"),
    Stage.FAILED: ("✗", "x"),
    Stage.REJECTED: ("✗", "x"),
    Stage.CANCELLED: ("■", "-"),
    Stage.PAUSED: ("‖", "="),
}
_SUMMARY_HEADER = ("Video", "Status", "Frames", "Length", "Label", "Detections", "Tracks")
_NUMBERS = {"Frames", "Length", "Detections", "Tracks"}
_READABLE_WIDTHS = {"Video": 20, "Label": 12}
_IDLE = {Stage.WAITING, Stage.QUEUED}
_IMPORTANCE = {Stage.FAILED: 1, Stage.REJECTED: 1, Stage.QUEUED: 2, Stage.WAITING: 3}


class ProgressView:
    """Draws a board to fit the terminal: videos at work with a bar each, those that are over in one line.

    Args:
        board: What is known of the videos; read anew at each drawing.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._spinner = Spinner("dots", style="cyan")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = max(_LINES_OF_ACTIVE_ROW + 2, (options.height or console.height) - 2)
        if len(self._board) > 1:
            yield self._headline()
            height -= 1
        rows, hidden = self._fitting_rows(height - 1)
        for row in rows:
            yield from self._row(row, options)
        if hidden:
            yield Text(f"  {hidden} more {text.plural('video', hidden)}", style="dim")

    def _headline(self) -> Text:
        over = [row for row in self._board if row.stage.is_over]
        failed = sum(row.error is not None for row in over)
        line = Text.assemble((f"{len(over)} of {len(self._board)} videos finished", "bold"))
        if failed:
            line.append(f", {failed} failed", style="red")
        return line

    def _fitting_rows(self, height: int) -> tuple[list[Row], int]:
        """As many rows as fit, those at work first, in the order of the board; and how many do not fit."""
        chosen: set[int] = set()
        for index in sorted(range(len(self._board)), key=lambda index: _importance(self._board.rows[index])):
            lines = _LINES_OF_ACTIVE_ROW if _is_active(self._board.rows[index]) else 1
            if lines > height:
                break
            height -= lines
            chosen.add(index)
        rows = [row for index, row in enumerate(self._board) if index in chosen]
        return rows, len(self._board) - len(rows)

    def _row(self, row: Row, options: ConsoleOptions) -> Iterator[RenderableType]:
        if not _is_active(row):
            yield _one_line(row, options)
            return
        mark: RenderableType = self._spinner
        if row.stage is Stage.PAUSED or options.ascii_only:
            mark = Text(_mark(row.stage, options))
        title = Table.grid(padding=(0, 1), expand=True)
        title.add_column(width=1)
        title.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        title.add_column(justify="right", no_wrap=True)
        title.add_row(mark, Text(row.name, style="bold"), Text(_headline_numbers(row), style="dim"))
        yield title
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(width=1)
        bar.add_column(ratio=1)
        bar.add_column(justify="right", width=4)
        bar.add_row("", _bar(row), f"{_percent(row):.0f}%")
        yield bar
        yield Text(f"  {_third_line(row)}", no_wrap=True, overflow="ellipsis")


def _is_active(row: Row) -> bool:
    return not row.stage.is_over and row.stage not in _IDLE


def _importance(row: Row) -> int:
    if _is_active(row):
        return 0
    return _IMPORTANCE.get(row.stage, 4)


def _mark(stage: Stage, options: ConsoleOptions) -> str:
    fancy, plain = _MARKS.get(stage, ("·", " "))
    return plain if options.ascii_only else fancy


def _one_line(row: Row, options: ConsoleOptions) -> Text:
    style = _STAGE_STYLES.get(row.stage, "dim")
    line = Text.assemble(
        (_mark(row.stage, options), style), " ", (row.name, "bold" if row.stage.is_over else "dim"), "  "
    )
    line.append(row.error or _outcome(row), style=style if row.error else "dim")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _outcome(row: Row) -> str:
    if row.progress is None or row.stage in _IDLE:
        return row.stage.value
    parts = [f"{row.progress.frames_done:,} {text.plural('frame', row.progress.frames_done)}"]
    if found := _found(row):
        parts.append(found)
    return ", ".join([row.stage.value, *parts] if row.stage is not Stage.DONE else parts)


def _headline_numbers(row: Row) -> str:
    if row.stage is Stage.UPLOADING:
        return f"{text.byte_count(row.uploaded_bytes)} of {text.byte_count(row.size_bytes)}"
    progress = row.progress
    if progress is None or not progress.frames_total:
        return ""
    parts = [f"{progress.frames_done:,} of {progress.frames_total:,} frames"]
    if row.stage is Stage.RUNNING and progress.frames_per_second and not _is_finishing(row):
        parts.append(text.rate(progress.frames_per_second))
    if row.stage is Stage.RUNNING and progress.eta_seconds is not None:
        parts.append(f"{text.duration(progress.eta_seconds)} left")
    return ", ".join(parts)


def _third_line(row: Row) -> Text:
    line = Text()
    if row.stage is not Stage.RUNNING or _is_finishing(row):
        line.append(_stage_text(row), style=_STAGE_STYLES.get(row.stage, "cyan"))
    found = _found(row)
    if found:
        line.append(f"{'  ' if line else ''}{found}")
    elif row.stage is Stage.RUNNING and not line:
        line.append("nothing found so far", style="dim")
    return line


def _found(row: Row) -> str:
    """What was found so far: objects by label, and people."""
    parts = [text.counts(row.counts)] if row.counts else []
    if row.progress is not None and row.progress.people:
        parts.append(text.people_count(row.progress.people))
    return ", ".join(parts)


def _stage_text(row: Row) -> str:
    if row.stage is Stage.SAVING:
        return "fetching the results"
    if _is_finishing(row):
        return "making the result files"
    if row.stage is Stage.UPLOADING and row.uploaded_bytes >= row.size_bytes:
        return "uploaded, being checked"
    return str(row.stage.value)


def _is_finishing(row: Row) -> bool:
    progress = row.progress
    return (
        row.stage is Stage.RUNNING
        and progress is not None
        and 0 < progress.frames_total <= progress.frames_done
    )


def _percent(row: Row) -> float:
    if row.stage is Stage.UPLOADING:
        return 100 * row.uploaded_bytes / max(1, row.size_bytes)
    return row.progress.percent if row.progress else 0.0


def _bar(row: Row) -> ProgressBar:
    uploading = row.stage is Stage.UPLOADING
    return ProgressBar(
        total=100,
        completed=_percent(row),
        complete_style="blue" if uploading else "cyan",
        finished_style="blue" if uploading else "green",
    )


def plain_line(row: Row) -> str:
    """A row in one line without control codes."""
    if row.error:
        return f"{row.path}: {row.stage.value}: {row.error}"
    if row.stage in {Stage.DONE, Stage.CANCELLED}:
        return f"{row.name}: {row.stage.value}, {_outcome(row)}"
    parts = [_stage_text(row)]
    if _percent(row):
        parts.append(f"{_percent(row):.0f}%")
    if numbers := _headline_numbers(row):
        parts.append(numbers)
    if found := _found(row):
        parts.append(found)
    return f"{row.name}: {', '.join(parts)}"


class PlainProgress:
    """Prints a line for each video that changed since the last call.

    Args:
        board: What is known of the videos.
        console: Where to print.
    """

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._printed: dict[Path, str] = {}

    def print_changes(self) -> None:
        """Print what changed."""
        for row in self._board:
            line = plain_line(row)
            if row.stage is not Stage.WAITING and self._printed.get(row.path) != line:
                self._printed[row.path] = line
                say(self._console, line)


class _Summary:
    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [_summary_cells(row) for row in self._board]
        if _least_table_width(rows) <= options.max_width:
            yield _summary_table(rows)
        else:
            for row in self._board:
                yield from _summary_lines(row)


def summary_table(board: Board) -> RenderableType:
    """What became of each video: a table, or one paragraph each where a table would squeeze the names."""
    return _Summary(board)


def _summary_cells(row: Row) -> tuple[Text, ...]:
    labels = [count.label for count in row.counts] or (["nothing"] if row.stage is Stage.DONE else [])
    return (
        Text(row.name),
        Text(row.stage.value, style=_STAGE_STYLES.get(row.stage, "")),
        Text(_frames(row)),
        Text(_length(row)),
        Text("\n".join(labels)),
        Text("\n".join(f"{count.detections:,}" for count in row.counts)),
        Text("\n".join(f"{count.tracks:,}" if count.tracks else "" for count in row.counts)),
    )


def _frames(row: Row) -> str:
    """`100`, and below it `40 skipped`, if any were."""
    if row.progress is None or not row.progress.frames_total:
        return ""
    skipped = f"\n{row.frames_skipped:,} skipped" if row.frames_skipped else ""
    return f"{row.progress.frames_done:,}{skipped}"


def _length(row: Row) -> str:
    return text.duration(row.duration_seconds) if row.duration_seconds is not None else ""


def _least_table_width(rows: Sequence[Sequence[Text]]) -> int:
    """The width below which a name or a label would be folded into pieces too small to read."""
    cells_of = zip(_SUMMARY_HEADER, *rows, strict=True)
    width = 3 * len(_SUMMARY_HEADER) - 1  # what the box takes: three between columns, one at each end
    for header, *cells in cells_of:
        needed = max(cell_len(header), *(_widest_line(cell) for cell in cells), 0)
        width += min(needed, _READABLE_WIDTHS.get(header, needed))
    return width


def _widest_line(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)


def _summary_table(rows: Sequence[Sequence[Text]]) -> Table:
    table = new_table()
    for header in _SUMMARY_HEADER:
        folds = header in _READABLE_WIDTHS
        table.add_column(
            header,
            justify="right" if header in _NUMBERS else "left",
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
        )
    for cells in rows:
        table.add_row(*cells)
    return table


def _summary_lines(row: Row) -> Iterator[RenderableType]:
    yield Text(row.name, style="bold", overflow="fold")
    state = Text(row.stage.value, style=_STAGE_STYLES.get(row.stage, ""))
    if row.progress and row.progress.frames_total:
        state.append(
            f", {row.progress.frames_done:,} {text.plural('frame', row.progress.frames_done)}", "none"
        )
    if row.frames_skipped:
        state.append(f" ({row.frames_skipped:,} skipped)", "none")
    if row.duration_seconds is not None:
        state.append(f", {_length(row)}", "none")
    lines = [state, *(Text(text.counts([count])) for count in row.counts)]
    if row.stage is Stage.DONE and not row.counts:
        lines.append(Text("nothing found"))
    for line in lines:
        line.overflow = "fold"
        yield Padding.indent(line, 2)
