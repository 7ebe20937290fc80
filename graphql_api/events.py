"""The event log at the edge: what happened, to be read by number and followed."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from domain import events
from domain.errors import InvalidError
from domain.events import EventKind
from domain.sql import stored_uuid_or_none
from graphql_api.analyses.types import Analysis, load_analyses
from graphql_api.context import Info
from graphql_api.execution.selection import selected_columns
from graphql_api.fields import field, subscription
from graphql_api.live.event_hub import EventFeed
from graphql_api.live.feeds import shared
from graphql_api.relay import Connection, global_id, page_size
from graphql_api.row_pages import narrowed, row_edges, row_page_info
from graphql_api.rows import Computed, CursorKind, RowEdges, RowType, enum_of, moment_of
from graphql_api.scalars import BigInt
from graphql_api.videos import Video, load_videos

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")

strawberry.enum(EventKind, description="What happened.")


@strawberry.type(description="Something that happened to one of your videos or analyses. It never changes.")
class Event:
    video_key: strawberry.Private[UUID | None]
    analysis_key: strawberry.Private[UUID | None]
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
    def from_row(cls, row: events.Event) -> "Event":
        """The event in this row."""
        return EVENT_ROWS.of_model(row)

    @field("The video as it is now; null once it is deleted.")
    async def video(self, info: Info) -> Video | None:
        if self.video_key is None:
            return None
        owner_id = info.context.user_id

        async def load(keys: list[UUID]) -> Sequence[Video | None]:
            videos = await load_videos(keys, owner_id)
            return [videos.get(key) for key in keys]

        return await info.context.loader("own_video", load).load(self.video_key)

    @field("The analysis as it is now; null once it is deleted.")
    async def analysis(self, info: Info) -> Analysis | None:
        if self.analysis_key is None:
            return None
        owner_id = info.context.user_id

        async def load(keys: list[UUID]) -> Sequence[Analysis | None]:
            analyses = await load_analyses(keys, owner_id)
            return [analyses.get(key) for key in keys]

        return await info.context.loader("own_analysis", load).load(self.analysis_key)


def _optional_id(type_name: str, column: str) -> Computed:
    return Computed((column,), lambda stored: None if stored is None else global_id(type_name, stored))


_CURSORS = CursorKind(("cursor",), str)

EVENT_ROWS = RowType(
    Event,
    events.Event,
    {
        "number": "number",
        "stored_kind": "kind",
        "stored_created_at": "created_at",
        "message": "message",
        "stored_video_id": "video_id",
        "stored_analysis_id": "analysis_id",
    },
    cursor=Computed(("number",), str),
    kind=enum_of("stored_kind", EventKind),
    created_at=moment_of("stored_created_at"),
    video_id=_optional_id("Video", "stored_video_id"),
    analysis_id=_optional_id("Analysis", "stored_analysis_id"),
    video_key=Computed(("stored_video_id",), stored_uuid_or_none),
    analysis_key=Computed(("stored_analysis_id",), stored_uuid_or_none),
)
"""How rows become events."""


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
        # Its number says whether the first is the one that was asked for.
        names = tuple({"number": 0} | dict.fromkeys(selected_columns(info, EVENT_ROWS, _CURSORS)))
        rows = narrowed(EVENT_ROWS.rows, names)
        values = await events.read_event_values(rows, info.context.user_id, _number(after), size + 1)
        edges = RowEdges(EVENT_ROWS, values[:size], names, _CURSORS)
        return EventConnection(
            edges=row_edges(edges),
            page_info=row_page_info(edges, len(values) > size, after is not None),
        )


@strawberry.type
class EventSubscriptions:
    @subscription(
        "Every event that follows `after`, then each new one, in order, none missed and none twice; does not "
        "end. Without `after`: what happens from now on. Errors are as in the query."
    )
    async def events(self, info: Info, after: str | None = None) -> AsyncIterator[Event]:
        context = info.context
        return shared(EventFeed(context.state.event_hub, context.user_id, _number(after), Event.from_row))


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not _NUMBER.fullmatch(cursor):
        raise InvalidError('`after` is the number of an event as text, such as "17".', ("after",))
    return int(cursor)
