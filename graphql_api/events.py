"""The event log at the edge: what happened, to be read by number and followed."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain import events
from domain.analyses import models as analysis_models
from domain.analyses.service import owned_analyses
from domain.errors import InvalidError
from domain.events import EventKind
from domain.videos import models as video_models
from domain.videos.service import owned_videos
from graphql_api.analyses.types import Analysis
from graphql_api.context import Info
from graphql_api.fields import field, subscription
from graphql_api.relay import Connection, global_id, make_connection, page_size
from graphql_api.scalars import BigInt
from graphql_api.videos import Video

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")

strawberry.enum(EventKind, description="What happened.")


@strawberry.type(description="Something that happened to one of your videos or analyses. It never changes.")
class Event:
    row: strawberry.Private[events.Event]
    number: BigInt = strawberry.field(
        description="Its number. Those of your account count up from 1 without gaps, in the order in which "
        "things happened."
    )
    cursor: str = strawberry.field(
        description="Its number as text: as `after` of the query or the subscription it gives what follows."
    )
    kind: EventKind = strawberry.field(description="What happened.")
    created_at: datetime = strawberry.field(description="When it happened.")
    message: str | None = strawberry.field(
        description="The reason, of VIDEO_REJECTED and ANALYSIS_FAILED for example."
    )
    video_id: strawberry.ID | None = strawberry.field(
        description="The id of the video it is about, which may be deleted by now."
    )
    analysis_id: strawberry.ID | None = strawberry.field(
        description="The id of the analysis it is about, which may be deleted by now."
    )

    @classmethod
    def from_row(cls, row: events.Event) -> Self:
        """The event in this row."""
        return cls(
            row=row,
            number=BigInt(row.number),
            cursor=str(row.number),
            kind=row.kind,
            created_at=row.created_at,
            message=row.message,
            video_id=None if row.video_id is None else global_id("Video", row.video_id),
            analysis_id=None if row.analysis_id is None else global_id("Analysis", row.analysis_id),
        )

    @field("The video as it is now; null once it is deleted.")
    async def video(self, info: Info) -> Video | None:
        if self.row.video_id is None:
            return None
        owner_id = info.context.user_id

        async def load(keys: list[UUID]) -> Sequence[video_models.Video | None]:
            rows = {row.id: row for row in await owned_videos(owner_id).filter(id__in=keys)}
            return [rows.get(key) for key in keys]

        row = await info.context.loader("own_video", load).load(self.row.video_id)
        return None if row is None else Video.from_row(row)

    @field("The analysis as it is now; null once it is deleted.")
    async def analysis(self, info: Info) -> Analysis | None:
        if self.row.analysis_id is None:
            return None
        owner_id = info.context.user_id

        async def load(keys: list[UUID]) -> Sequence[analysis_models.Analysis | None]:
            rows = {row.id: row for row in await owned_analyses(owner_id).filter(id__in=keys)}
            return [rows.get(key) for key in keys]

        row = await info.context.loader("own_analysis", load).load(self.row.analysis_id)
        return None if row is None else Analysis.from_row(row)


@strawberry.type(description="A page of the event log.")
class EventConnection(Connection[Event]):
    @field(
        "The cursor of the newest event of all, `0` before the first. As `after` it gives what happens from "
        "now on."
    )
    async def newest_cursor(self, info: Info) -> str:
        span = await events.event_span(info.context.user_id)
        return str(0 if span is None else span.newest)


@strawberry.type
class EventQueries:
    @field(
        "What happened to your videos and analyses, oldest first, as far back as it is kept. If events that "
        "follow `after` are no longer kept, or there is no such event yet, that is a CONFLICT whose "
        "`extensions` have the numbers `oldest` and `newest`.",
        signed_in=True,
    )
    async def events(self, info: Info, first: int | None = 100, after: str | None = None) -> EventConnection:
        size = page_size(first, 100)
        rows = await events.read_events(info.context.user_id, _number(after), size + 1)
        page = make_connection(
            [Event.from_row(row) for row in rows[:size]],
            [str(row.number) for row in rows[:size]],
            has_next_page=len(rows) > size,
            has_previous_page=after is not None,
        )
        return EventConnection(edges=page.edges, page_info=page.page_info)


@strawberry.type
class EventSubscriptions:
    @subscription(
        "Every event that follows `after`, then each new one, in order, none missed and none twice; does not "
        "end. Without `after`: what happens from now on. Errors are as in the query."
    )
    async def events(self, info: Info, after: str | None = None) -> AsyncIterator[Event]:
        async for row in info.context.state.event_hub.follow(info.context.user_id, _number(after)):
            yield Event.from_row(row)


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not _NUMBER.fullmatch(cursor):
        raise InvalidError('`after` is the number of an event as text, such as "17".', ("after",))
    return int(cursor)
