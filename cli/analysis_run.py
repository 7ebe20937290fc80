"""Videos on their way through a server: uploaded in turn, followed live, their results fetched."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from cli.board import Board, Row, Stage
from cli.client import UNAUTHENTICATED, FramewiseClient
from cli.errors import CliError, ConnectionLostError, RequestRefusedError, SettingsRefusedError
from cli.outputs import OutputPaths, written_at_once

_POLL_SECONDS = 1.0
_POLL_SECONDS_WHILE_LIVE = 5.0
_FIRST_RECONNECT_SECONDS = 0.5
_LONGEST_RECONNECT_SECONDS = 10.0
_GIVE_UP_SECONDS = 120.0
_DOWNLOAD_ATTEMPTS = 4
_CANCEL_TIMEOUT_SECONDS = 5.0


class AnalysisRun:
    """The videos of one call on their way through the server.

    Args:
        client: Signed in.
        settings: `AnalysisSettingsInput`.
        board: The videos.
        outputs: Where the results of each go.
    """

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
        for kind, url in results.files.items():
            path = paths.of(kind)
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
