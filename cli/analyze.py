"""`framewise analyze`: upload videos, follow their analyses, fetch the results."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from cli import text
from cli.board import Board, Row, Stage
from cli.client import UNAUTHENTICATED, FramewiseClient
from cli.errors import CliError, ConnectionLostError, RequestRefusedError, SettingsRefusedError
from cli.frame_options import Region
from cli.operations import RemoteModel
from cli.outputs import OutputPaths, check_writable, plan_outputs, written_at_once
from cli.progress_view import PlainProgress, ProgressView, summary_table

FACE_DETECTION = "FACE_DETECTION"
_DRAWINGS_PER_SECOND = 8
_PLAIN_INTERVAL_SECONDS = 1.0
_POLL_SECONDS = 1.0
_POLL_SECONDS_WHILE_LIVE = 5.0
_FIRST_RECONNECT_SECONDS = 0.5
_LONGEST_RECONNECT_SECONDS = 10.0
_GIVE_UP_SECONDS = 120.0
_DOWNLOAD_ATTEMPTS = 4
_CANCEL_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class AnalyzeOptions:
    """What to analyse, and how.

    Args:
        videos: Files; those that are missing are reported one by one.
        ml_model: A model of the server; None: its best face detector that is ready.
        tracker: A tracker of the GraphQL schema.
        output_dir: Where results go; None: beside each video.
        frame_stride: Analyse only every Nth frame.
        min_confidence: Leave out detections below it; None: what the server takes by default.
        labels: Leave out other labels; None: keep all.
        start_seconds: Where in the video to begin.
        end_seconds: Where to end.
        overlay: Whether to make and fetch the video with boxes drawn.
        is_fast: Whether speed matters more than exactness.
        region: Corners of the polygon to look at, as shares of the frame; None: the whole frame.
        tile: Pixels and overlap of the tiles that frames are cut into; None: none.
        motion_gating: Whether frames in which nothing moves are skipped.
        lines: Lines to count at, as the server takes them.
        zones: Zones to count in, likewise.
    """

    videos: tuple[Path, ...]
    ml_model: str | None = None
    tracker: str = "BYTE_TRACK"
    output_dir: Path | None = None
    frame_stride: int = 1
    min_confidence: float | None = None
    labels: tuple[str, ...] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    overlay: bool = True
    is_fast: bool = False
    region: Region | None = None
    tile: tuple[int, float] | None = None
    motion_gating: bool = False
    lines: tuple[dict[str, Any], ...] = ()
    zones: tuple[dict[str, Any], ...] = ()


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
        settings = await _settings(client, options)
        console.print(f"Model: {settings['mlModel']}", style="dim", markup=False)
        run = _Run(client, settings, board, outputs)
        try:
            async with _shown(board, console):
                await run.all()
        except asyncio.CancelledError:
            console.print("Cancelling …", style="yellow")
            await run.cancel_all()
            _print_outcome(board, console)
            raise
    _print_outcome(board, console)
    return 0 if all(row.stage is Stage.DONE for row in board) else 1


def _print_outcome(board: Board, console: Console) -> None:
    console.print(summary_table(board))
    for row in board:
        _print_counting(row, console)
    for row in board:
        if row.error:
            console.print(
                f"{row.path}: {row.error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
    cancelled = sum(row.stage is Stage.CANCELLED for row in board)
    if cancelled:
        console.print(f"{cancelled} {text.plural('video', cancelled)} cancelled.", style="yellow")
    files = [(file, row.path) for row in board for file in row.files]
    if files:
        console.print("Written:", style="bold")
        for file, video in files:
            source = f"  (from {video})" if len(board) > 1 else ""
            console.print(f"  {file}{source}", markup=False, highlight=False, soft_wrap=True)


def _print_counting(row: Row, console: Console) -> None:
    if row.progress is None or row.stage is not Stage.DONE:
        return
    counted = [text.line_count(line) for line in row.progress.lines]
    counted += [text.zone_count(zone) for zone in row.progress.zones]
    if counted:
        console.print(f"Counted in {row.name}:", style="bold", markup=False, highlight=False)
        for said in counted:
            console.print(f"  {said}", markup=False, highlight=False)


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


async def _settings(client: FramewiseClient, options: AnalyzeOptions) -> dict[str, Any]:
    model = choose_model(await client.ml_models(), options.ml_model)
    for label in options.labels or ():
        if label not in model.labels:
            raise CliError(f"The model {model.name} has no label {label!r}: {_near(label, model.labels)}", 2)
    if options.min_confidence is not None and options.min_confidence < model.floor_confidence:
        raise CliError(
            f"--min-confidence must be at least {model.floor_confidence:g} with the model {model.name}, "
            "which keeps no detections that are less certain.",
            2,
        )
    settings = {
        "mlModel": model.name,
        "tracker": options.tracker,
        "frameStride": options.frame_stride,
        "minConfidence": options.min_confidence,
        "labels": list(options.labels) if options.labels else None,
        "startSeconds": options.start_seconds,
        "endSeconds": options.end_seconds,
        "overlay": options.overlay,
        **_frame_settings(options),
        "lines": list(options.lines) or None,
        "zones": list(options.zones) or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _frame_settings(options: AnalyzeOptions) -> dict[str, Any]:
    tile = options.tile
    return {
        "mode": "FAST" if options.is_fast else None,
        "region": None if options.region is None else [{"x": x, "y": y} for x, y in options.region],
        "tiling": None if tile is None else {"tilePixels": tile[0], "overlap": tile[1]},
        "motionGating": options.motion_gating or None,
    }


def choose_model(models: Sequence[RemoteModel], name: str | None) -> RemoteModel:
    """The model of that name, or else the first face detector that is ready.

    Raises:
        CliError: There is none.
    """
    if name is None:
        for model in models:
            if model.task == FACE_DETECTION and model.is_ready:
                return model
        raise CliError("The server has no face detector that is ready: choose a model with --model.")
    for model in models:
        if model.name == name:
            return model
    raise CliError(f"The server has no model {name!r}: {_near(name, [model.name for model in models])}", 2)


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:20])
    return f"choose from {shown}{', …' if len(names) > 20 else ''}."


class _Run:
    """The videos of one call on their way through the server."""

    def __init__(
        self,
        client: FramewiseClient,
        settings: Mapping[str, Any],
        board: Board,
        outputs: Mapping[Path, OutputPaths],
    ) -> None:
        self._client = client
        self._settings = settings
        self._board = board
        self._outputs = outputs
        self._uploading = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._is_live = False

    async def all(self) -> None:
        """Take every video to its end."""
        watchers = {asyncio.create_task(self._watch()), asyncio.create_task(self._poll())}
        videos = {asyncio.create_task(self._video(row)) for row in self._board if not row.stage.is_over}
        remaining = set(videos)
        try:
            while remaining:
                done, _ = await asyncio.wait(remaining | watchers, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                remaining -= done
        finally:
            await _end(videos | watchers)

    async def cancel_all(self) -> None:
        """Cancel the analyses that have not ended."""

        async def cancel(row: Row) -> None:
            if row.analysis_id is not None and row.stage is not Stage.SAVING:
                with suppress(CliError, TimeoutError):
                    async with asyncio.timeout(_CANCEL_TIMEOUT_SECONDS):
                        await self._client.cancel(row.analysis_id)
            row.stage = Stage.CANCELLED

        await asyncio.gather(*(cancel(row) for row in self._board if not row.stage.is_over))

    # One video

    async def _video(self, row: Row) -> None:
        try:
            if await self._upload(row):
                await self._until(lambda: row.stage.is_over or row.stage is Stage.SAVING)
            if row.stage is Stage.SAVING:
                await self._save(row)
                row.stage = Stage.DONE
            elif row.stage is Stage.FAILED:
                await self._find_reason(row)
        except SettingsRefusedError:
            raise
        except CliError as error:
            row.fail(str(error))
        except OSError as error:
            row.fail(f"cannot be read: {error.strerror}")

    async def _upload(self, row: Row) -> bool:
        async with self._uploading:  # one after the other: the first is analysed while the next is sent
            row.stage = Stage.UPLOADING

            def count(sent_bytes: int) -> None:
                row.uploaded_bytes += sent_bytes

            uploaded = await self._client.upload(row.path, self._settings, count)
        if uploaded.settings_refused:
            raise SettingsRefusedError(uploaded.refusal or "", 2)
        if uploaded.analysis_id is None:
            row.reject(uploaded.refusal or "")
            return False
        self._board.start(row, uploaded.analysis_id)
        return True

    async def _find_reason(self, row: Row) -> None:
        """An analysis may have failed because its video was rejected, which says more."""
        if row.analysis_id is not None:
            reason = (await self._client.analysis(row.analysis_id)).rejection_reason
            if reason is not None:
                row.reject(reason)

    async def _save(self, row: Row) -> None:
        if row.analysis_id is None:
            return
        for attempt in range(1, _DOWNLOAD_ATTEMPTS + 1):
            try:
                await self._download(row, row.analysis_id)
            except ConnectionLostError:
                if attempt == _DOWNLOAD_ATTEMPTS:
                    raise
                await asyncio.sleep(attempt)
            else:
                return

    async def _download(self, row: Row, analysis_id: str) -> None:
        results = await self._client.results(analysis_id)
        paths = self._outputs[row.path]
        row.duration_seconds = results.duration_seconds
        row.frames_skipped = results.frames_skipped
        for url, path in ((results.json, paths.json), (results.overlay, paths.overlay)):
            if url is not None and path not in row.files:
                async with written_at_once(path) as file:
                    await self._client.download(url, file.write)
                row.files.append(path)

    # What the server says

    async def _watch(self) -> None:
        """Take in live progress, over one connection after the other."""
        wait_seconds = _FIRST_RECONNECT_SECONDS
        while True:
            try:
                async with aclosing(self._client.progress()) as updates:
                    async for progress in updates:
                        self._is_live, wait_seconds = True, _FIRST_RECONNECT_SECONDS
                        self._board.take(progress)
                        await self._notify()
            except RequestRefusedError as error:
                if error.code == UNAUTHENTICATED:
                    await self._renew()
            except ConnectionLostError:
                pass  # polling goes on meanwhile, and gives up if the server stays away
            self._is_live = False
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(_LONGEST_RECONNECT_SECONDS, 2 * wait_seconds)

    async def _renew(self) -> None:
        with suppress(ConnectionLostError):
            await self._client.renew()

    async def _poll(self) -> None:
        """Ask for the state of each analysis: often while there is no live connection, else to be safe."""
        loop = asyncio.get_running_loop()
        reached_at = loop.time()
        while True:
            await asyncio.sleep(_POLL_SECONDS_WHILE_LIVE if self._is_live else _POLL_SECONDS)
            for row in self._board.unfinished():
                try:
                    await self._poll_row(row)
                except ConnectionLostError:
                    if loop.time() - reached_at > _GIVE_UP_SECONDS:
                        raise
                    break
                reached_at = loop.time()
            else:
                reached_at = loop.time()

    async def _poll_row(self, row: Row) -> None:
        if row.analysis_id is None:
            return
        try:
            state = await self._client.analysis(row.analysis_id)
        except RequestRefusedError as error:
            row.fail(str(error))
        else:
            row.duration_seconds = state.duration_seconds
            row.take(state.progress)
            if state.rejection_reason is not None:
                row.reject(state.rejection_reason)
        await self._notify()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended, whatever they end with."""
    unfinished = tasks
    while unfinished:
        # More than once: before Python 3.12 `asyncio.wait_for`, which gql uses, can swallow a cancellation.
        for task in unfinished:
            task.cancel()
        _, unfinished = await asyncio.wait(unfinished, timeout=0.2)
    await asyncio.gather(*tasks, return_exceptions=True)
