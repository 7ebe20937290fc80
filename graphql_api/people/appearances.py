"""Where and when people were seen."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import strawberry

from domain.pages import read_all
from domain.people import models
from domain.sql import StoredId, stored_flag, stored_uuid, stored_uuid_or_none
from graphql_api.analyses.types import Analysis, load_analyses
from graphql_api.context import Context, Info
from graphql_api.execution.selection import Wants, everything, wants_of
from graphql_api.fields import field
from graphql_api.http.links import source_link
from graphql_api.people.crops import crop_urls
from graphql_api.people.persons import Person, load_person
from graphql_api.relay import Connection, Node, id_of
from graphql_api.row_pages import Values, paginate_rows_of
from graphql_api.rows import Computed, Names, RowType, moment_of
from graphql_api.videos import Video, read_videos


@strawberry.type(description="A face followed through a part of a video.")
class Appearance(Node):
    key: strawberry.Private[UUID]
    analysis_key: strawberry.Private[UUID]
    person_key: strawberry.Private[UUID | None]
    track_id: int = strawberry.field(description="The number of its track in the analysis.")
    first_seconds: float = strawberry.field(description="When it is first seen.")
    last_seconds: float = strawberry.field(description="When it is last seen.")
    similarity: float = strawberry.field(
        description="How much the face is like the person's others, from -1 to 1; 1 for the only one."
    )
    is_confirmed: bool = strawberry.field(
        description="Whether somebody decided whose it is: then it is never moved by itself."
    )
    created_at: datetime = strawberry.field(description="When it was found.")
    crop_url: str = strawberry.field(description="A link to its best picture, a JPEG, signed and expiring.")
    video: Video = strawberry.field(description="The video.")
    video_url: str | None = strawberry.field(
        description="A link to the video at this moment: players begin there and stop at its end. Null while "
        "there is no file."
    )

    @field("The analysis that found it.")
    async def analysis(self, info: Info) -> Analysis:
        async def load(keys: list[UUID]) -> Sequence[Analysis]:
            found = await load_analyses(keys, info.context.user_id)
            return [found[key] for key in keys]

        return await info.context.loader("analysis of appearance", load).load(self.analysis_key)

    @field("Whose it is; null if somebody said that it is no face.")
    async def person(self, info: Info) -> Person | None:
        if self.person_key is None:
            return None
        return await load_person(info.context, self.person_key, wants_of(info))


APPEARANCE_ROWS = RowType(
    Appearance,
    models.Appearance,
    {
        "stored_person_id": "person_id",
        "stored_key": "id",
        "stored_video_id": "video_id",
        "stored_analysis_id": "analysis_id",
        "track_id": "track_id",
        "first_seconds": "first_seconds",
        "last_seconds": "last_seconds",
        "similarity": "similarity",
        "stored_confirmation": "is_pinned",
        "stored_created_at": "created_at",
        "crop_url": "NULL",
        "video": "NULL",
        "video_url": "NULL",
    },
    id=id_of("Appearance", "stored_key"),
    key=Computed(("stored_key",), stored_uuid),
    analysis_key=Computed(("stored_analysis_id",), stored_uuid),
    person_key=Computed(("stored_person_id",), stored_uuid_or_none),
    is_confirmed=Computed(("stored_confirmation",), stored_flag),
    created_at=moment_of("stored_created_at"),
)
"""How rows become appearances, once `_finish` has filled in what is not in the table."""

_VIDEO, _ANALYSIS, _TRACK, _FIRST, _LAST, _CROP_URL, _SHOWN_VIDEO, _VIDEO_URL = map(
    APPEARANCE_ROWS.names.index,
    (
        "stored_video_id", "stored_analysis_id", "track_id", "first_seconds", "last_seconds",
        "crop_url", "video", "video_url",
    ),
)  # fmt: skip


async def _finish(context: Context, wants: Wants, rows: Values, _names: Names) -> Values:
    """The rows with what is asked for of links and videos, which are read together."""
    if not rows:
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if wants("cropUrl"):
        faces = zip(columns[_ANALYSIS], columns[_TRACK], strict=True)
        columns[_CROP_URL] = await crop_urls(context, faces)
    if wants("video") or wants("videoUrl"):
        seen = list(set(columns[_VIDEO]))
        videos = await read_videos(seen, context.user_id, everything if wants("videoUrl") else wants)
        columns[_SHOWN_VIDEO] = [videos.get(stored) for stored in columns[_VIDEO]]
    if wants("videoUrl"):
        urls = {stored: await _source_link(context, video) for stored, video in videos.items()}
        columns[_VIDEO_URL] = [_moment_url(urls.get(row[_VIDEO]), row) for row in rows]
    return list(zip(*columns, strict=True))


async def _source_link(context: Context, video: Video) -> str | None:
    return await source_link(context, video.key, video.storage_key, video.filename, video.container)


def _moment_url(url: str | None, row: Sequence[Any]) -> str | None:
    """The link with the part of the video, as W3C's Media Fragments write it."""
    return None if url is None else f"{url}#t={row[_FIRST]:.3f},{row[_LAST]:.3f}"


async def appearances_of_people(
    context: Context,
    wants: Wants,
    keys: Sequence[StoredId],
    first: int | None = None,
    after: str | None = None,
) -> list[Connection[Appearance]]:
    """The same page of the appearances of each of these people of the viewer."""
    return await paginate_rows_of(
        keys,
        "person_id",
        APPEARANCE_ROWS.rows,
        APPEARANCE_ROWS,
        first=first,
        after=after,
        finish=partial(_finish, context, wants),
    )


async def load_appearances(
    context: Context, keys: Sequence[UUID], wants: Wants = everything
) -> dict[UUID, Appearance]:
    """The viewer's appearances with these keys."""
    rows = await read_all(APPEARANCE_ROWS.rows.with_ids(keys).of_owner(context.user_id))
    found = await _finish(context, wants, rows, APPEARANCE_ROWS.names)
    return {appearance.key: appearance for appearance in map(APPEARANCE_ROWS.of, found)}


async def load_appearance(context: Context, key: UUID) -> Appearance | None:
    """The node loader of `Appearance`: everybody sees only their own."""
    viewer = await context.require_viewer()
    rows = await read_all(APPEARANCE_ROWS.rows.of_owner(viewer.user_id).where("id = ?", key))
    found = await _finish(context, everything, rows, APPEARANCE_ROWS.names)
    return APPEARANCE_ROWS.of(found[0]) if found else None
