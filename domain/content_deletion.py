"""Deleting analyses and videos with all that was made from them.

Rows go, the register of people is brought up to date, events are written and the removal of files is noted in
one transaction; the files go after it. Where a video has many analyses, most go before it, in transactions
that keep nobody waiting for long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from domain.accounts.audit import (
    UNKNOWN_CALLER,
    AuditEntry,
    AuditKind,
    Caller,
    Person,
    tell,
    write_entry,
)
from domain.accounts.models import User
from domain.analyses.files import analysis_prefix
from domain.analyses.models import Analysis, Segment
from domain.analyses.service import get_analysis
from domain.erasure import try_erasure
from domain.errors import NotFoundError
from domain.events import EventKind, record_event
from domain.outages import through_outages
from domain.people.clearing import appearances_going
from domain.removals import note_removals, try_removals
from domain.sql import fetch_rows, lock_rows, placeholders
from domain.videos.files import detections_prefix, video_prefix
from domain.videos.models import Video
from domain.videos.service import get_video
from storage.base import AbstractStorage

BATCH = 20
"""Most analyses, or videos, that one transaction deletes."""

_PATIENCE_SECONDS = 10.0

_Row = dict[str, Any]


async def delete_analysis(
    storage: AbstractStorage,
    owner_id: UUID,
    analysis_id: UUID,
    *,
    late_write_seconds: float,
    caller: Caller = UNKNOWN_CALLER,
) -> None:
    """Delete an analysis with its files; running work on it stops by itself.

    The detections that it computed stay for a while, for the next analysis of the same content.

    Args:
        storage: Where its files are.
        owner_id: Whose analysis it must be.
        analysis_id: The analysis.
        late_write_seconds: For so long a worker that has not noticed may still write files.
        caller: Where the request came from, for the audit log.

    Raises:
        NotFoundError: There is no such analysis of this account.
    """
    await get_analysis(owner_id, analysis_id)
    deletion = _Deletion(owner_id, late_write_seconds, analysis_ids=[analysis_id], caller=caller)
    missing = NotFoundError("There is no Analysis with this id.", ("id",))
    await try_removals(storage, await _carry_out(deletion, missing))
    await try_erasure()


async def delete_video(
    storage: AbstractStorage,
    owner_id: UUID,
    video_id: UUID,
    *,
    late_write_seconds: float,
    caller: Caller = UNKNOWN_CALLER,
) -> None:
    """Delete a video, its analyses, and their files; running work on it stops by itself.

    Args:
        storage: Where the files are.
        owner_id: Whose video it must be.
        video_id: The video.
        late_write_seconds: For so long a worker that has not noticed may still write files.
        caller: Where the request came from, for the audit log.

    Raises:
        NotFoundError: There is no such video of this account.
    """
    await get_video(owner_id, video_id)
    removals: list[UUID] = []
    while len(analysis_ids := await _ids(Analysis, BATCH + 1, video_id=video_id)) > BATCH:
        removals += await _carry_out(
            _Deletion(owner_id, late_write_seconds, analysis_ids=analysis_ids[:BATCH], caller=caller)
        )
    deletion = _Deletion(
        owner_id, late_write_seconds, analysis_ids=analysis_ids, video_ids=[video_id], caller=caller
    )
    missing = NotFoundError("There is no Video with this id.", ("id",))
    await try_removals(storage, [*await _carry_out(deletion, missing), *removals])
    await try_erasure()


async def delete_content_of(owner_id: UUID, *, late_write_seconds: float) -> list[UUID]:
    """Delete every analysis and video of an account that is going itself; the removals that are due then.

    No events are written: nobody is left to read them. What comes in meanwhile may be left over.
    """
    removals: list[UUID] = []
    while analysis_ids := await _ids(Analysis, BATCH, owner_id=owner_id):
        removals += await _carry_out(
            _Deletion(owner_id, late_write_seconds, analysis_ids=analysis_ids, is_logged=False)
        )
    while video_ids := await _ids(Video, BATCH, owner_id=owner_id):
        removals += await _carry_out(
            _Deletion(owner_id, late_write_seconds, video_ids=video_ids, is_logged=False)
        )
    return removals


@dataclass(frozen=True)
class _Deletion:
    """What one transaction deletes: analyses, and videos with the analyses that they still have."""

    owner_id: UUID
    late_write_seconds: float
    analysis_ids: Sequence[UUID] = ()
    video_ids: Sequence[UUID] = ()
    is_logged: bool = True
    caller: Caller = UNKNOWN_CALLER

    async def carry_out(self) -> list[UUID]:
        """Delete what of it is there; the removals to do, none if nothing was."""
        entries: list[AuditEntry] = []
        async with in_transaction() as connection:
            # The register's lock first, as whoever records faces has it.
            async with appearances_going(
                connection, self.owner_id, analysis_ids=self.analysis_ids, video_ids=self.video_ids
            ):
                analyses, videos = await self._delete(connection)
            prefixes = [analysis_prefix(UUID(str(row["id"]))) for row in analyses]
            for row in videos:
                prefixes += _prefixes_of_video(row)
            removals = await note_removals(connection, prefixes, late_write_seconds=self.late_write_seconds)
            if self.is_logged:
                entries = await self._audit(connection, analyses, videos)
                await self._record(connection, analyses, videos)
        for entry in entries:
            tell(entry)
        return removals

    async def _delete(self, connection: BaseDBAsyncClient) -> tuple[list[_Row], list[_Row]]:
        """The rows of analyses and videos that were there."""
        analyses = await _delete_analyses(connection, self.analysis_ids)
        if not self.video_ids:
            return analyses, []
        # Only now: a worker that changes an analysis has its row first and may need the video's then.
        await lock_rows(connection, "videos", self.video_ids)
        analyses += await _delete_analyses(connection, await self._left_over(connection))
        return analyses, await _delete_videos(connection, self.video_ids)

    async def _audit(
        self, connection: BaseDBAsyncClient, analyses: list[_Row], videos: list[_Row]
    ) -> list[AuditEntry]:
        owner = await User.get_or_none(id=self.owner_id, using_db=connection)
        person = Person(self.owner_id, "" if owner is None else owner.username)
        deleted = [(AuditKind.ANALYSIS_DELETED, row) for row in analyses]
        deleted += [(AuditKind.VIDEO_DELETED, row) for row in videos]
        return [
            await write_entry(
                kind, person, self.caller, subject_id=UUID(str(row["id"])), connection=connection
            )
            for kind, row in deleted
        ]

    async def _left_over(self, connection: BaseDBAsyncClient) -> list[UUID]:
        """Analyses of the videos that were started before these were locked."""
        rows = await fetch_rows(
            f"SELECT id FROM analyses WHERE video_id IN ({placeholders(len(self.video_ids))})",  # noqa: S608
            *self.video_ids,
            connection=connection,
        )
        return [UUID(str(row["id"])) for row in rows]

    async def _record(
        self,
        connection: BaseDBAsyncClient,
        analyses: list[_Row],
        videos: list[_Row],
    ) -> None:
        for row in analyses:
            await record_event(
                connection,
                self.owner_id,
                EventKind.ANALYSIS_DELETED,
                video_id=UUID(str(row["video_id"])),
                analysis_id=UUID(str(row["id"])),
            )
        for row in videos:
            await record_event(
                connection, self.owner_id, EventKind.VIDEO_DELETED, video_id=UUID(str(row["id"]))
            )


async def _delete_analyses(connection: BaseDBAsyncClient, analysis_ids: Sequence[UUID]) -> list[_Row]:
    if not analysis_ids:
        return []
    # A worker that records a segment has its row first and the analysis' after it: so do we.
    await Segment.filter(analysis_id__in=list(analysis_ids)).using_db(connection).delete()
    return await fetch_rows(
        f"DELETE FROM analyses WHERE id IN ({placeholders(len(analysis_ids))}) RETURNING id, video_id",  # noqa: S608
        *analysis_ids,
        connection=connection,
    )


async def _delete_videos(connection: BaseDBAsyncClient, video_ids: Sequence[UUID]) -> list[_Row]:
    return await fetch_rows(
        f"DELETE FROM videos WHERE id IN ({placeholders(len(video_ids))}) "  # noqa: S608
        "RETURNING id, sha256, storage_key",
        *video_ids,
        connection=connection,
    )


def _prefixes_of_video(row: _Row) -> list[str]:
    """The files of a deleted video; those that others may share go only when nobody refers to them."""
    prefixes = [video_prefix(UUID(str(row["id"])))]
    if row["storage_key"] is not None:
        prefixes.append(str(row["storage_key"]))
    if row["sha256"]:
        prefixes.append(detections_prefix(str(row["sha256"])))
    return prefixes


async def _carry_out(deletion: _Deletion, missing: NotFoundError | None = None) -> list[UUID]:
    """Delete, again after a deadlock or an outage; `missing` is raised if there is nothing to delete."""
    tries = 0

    async def once() -> list[UUID]:
        nonlocal tries
        tries += 1
        removals = await deletion.carry_out()
        # A second try may find nothing because the first one was done and only its answer lost.
        if not removals and tries == 1 and missing is not None:
            raise missing
        return removals

    return await through_outages(once, patience_seconds=_PATIENCE_SECONDS, what="a deletion")


async def _ids(table: type[Analysis] | type[Video], limit: int, **owner: UUID) -> list[UUID]:
    ids = await table.filter(**owner).order_by("id").limit(limit).values_list("id", flat=True)
    return [UUID(str(one)) for one in ids]
