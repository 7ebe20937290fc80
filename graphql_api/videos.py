"""Videos at the edge."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

import strawberry
from tortoise.queryset import QuerySet

from domain.videos import models, service
from domain.videos.files import content_type, thumbnail_key
from domain.videos.models import VideoStatus
from graphql_api.context import Context, Info
from graphql_api.fields import field
from graphql_api.links import link, source_link
from graphql_api.relay import Connection, Node, find_uuid, global_id, paginate
from graphql_api.scalars import BigInt

if TYPE_CHECKING:
    from graphql_api.analyses.types import Analysis

strawberry.enum(VideoStatus, description="What is known of an uploaded file.")

LazyAnalysis = Annotated["Analysis", strawberry.lazy("graphql_api.analyses.types")]


@strawberry.type(description="An uploaded video.")
class Video(Node):
    row: strawberry.Private[models.Video]
    title: str = strawberry.field(description="Its title: at first the file's name without its ending.")
    filename: str = strawberry.field(description="The name of the uploaded file.")
    external_id: str | None = strawberry.field(
        description="What another system calls it, such as its id on a video site."
    )
    status: VideoStatus = strawberry.field(description="PROBING until the file has been looked at.")
    rejection_reason: str | None = strawberry.field(description="Why the file was turned away.")
    size_bytes: BigInt = strawberry.field(description="Size of the file.")
    sha256: str | None = strawberry.field(description="SHA-256 of the file, in hexadecimal.")
    codec: str | None = strawberry.field(description="Name of the video's codec, such as `h264`.")
    width: int | None = strawberry.field(description="Width of its upright frames in pixels.")
    height: int | None = strawberry.field(description="Height of its upright frames in pixels.")
    duration_seconds: float | None = strawberry.field(description="Length of the video.")
    frame_count: int | None = strawberry.field(description="Number of its frames.")
    average_fps: float | None = strawberry.field(description="Frames a second, on average.")
    is_variable_frame_rate: bool | None = strawberry.field(
        description="Whether the frames are at uneven distances."
    )
    created_at: datetime = strawberry.field(description="When it was uploaded.")

    @classmethod
    def from_row(cls, row: models.Video) -> Self:
        """The video in this row."""
        return cls(
            id=global_id("Video", row.id),
            row=row,
            title=row.title,
            filename=row.filename,
            external_id=row.external_id,
            status=row.status,
            rejection_reason=row.rejection_reason,
            size_bytes=BigInt(row.size_bytes),
            sha256=row.sha256 or None,
            codec=row.codec,
            width=row.width,
            height=row.height,
            duration_seconds=row.duration_seconds,
            frame_count=row.frame_count,
            average_fps=row.average_fps,
            is_variable_frame_rate=row.is_variable_frame_rate,
            created_at=row.created_at,
        )

    @field("A link to the file, signed and expiring, that answers Range requests; null once it was rejected.")
    async def url(self, info: Info) -> str | None:
        return await source_link(info.context, self.row, content_type(self.row))

    @field("A link to a small picture of it, a JPEG, signed and expiring.")
    async def thumbnail_url(self, info: Info) -> str | None:
        if not self.row.has_thumbnail:
            return None
        key = thumbnail_key(self.row.id)
        return await link(info.context, key, content_type="image/jpeg", filename=f"{self.title}.jpg")

    @field("Its analyses, newest first.")
    async def analyses(self, first: int | None = 20, after: str | None = None) -> Connection[LazyAnalysis]:
        from graphql_api.analyses.types import Analysis, analyses_of_video

        return await paginate(analyses_of_video(self.row.id), Analysis.from_row, first=first, after=after)


@strawberry.enum(description="The order of a list of videos.")
class VideoOrder(Enum):
    NEWEST = strawberry.enum_value("NEWEST", description="Last uploaded first.")
    OLDEST = strawberry.enum_value("OLDEST", description="First uploaded first.")
    TITLE = strawberry.enum_value("TITLE", description="By title.")
    LARGEST = strawberry.enum_value("LARGEST", description="Largest file first.")


_ORDER_COLUMNS = {
    VideoOrder.NEWEST: "-created_at",
    VideoOrder.OLDEST: "created_at",
    VideoOrder.TITLE: "title",
    VideoOrder.LARGEST: "-size_bytes",
}


@strawberry.input(description="Which videos; what is absent does not matter.")
class VideoFilter:
    status: VideoStatus | None = strawberry.field(default=None, description="Only those with this status.")
    search: str | None = strawberry.field(
        default=None, description="Only those with this in their title or file name, in any case."
    )
    external_id: str | None = strawberry.field(default=None, description="Only those with this external id.")
    created_after: datetime | None = strawberry.field(default=None, description="Only those uploaded later.")
    created_before: datetime | None = strawberry.field(
        default=None, description="Only those uploaded before."
    )


@strawberry.type
class VideoQueries:
    @field("One of your videos; null if you have none with this id.", signed_in=True)
    async def video(self, info: Info, id: strawberry.ID) -> Video | None:
        key = find_uuid(id, "Video")
        return None if key is None else await load_video(info.context, key)

    @field("Your videos.", signed_in=True)
    async def videos(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        filter: VideoFilter | None = None,
        order_by: VideoOrder | None = None,
    ) -> Connection[Video]:
        rows = _filtered(service.owned_videos(info.context.user_id), filter or VideoFilter())
        column = _ORDER_COLUMNS[order_by or VideoOrder.NEWEST]
        return await paginate(rows, Video.from_row, first=first, after=after, order_by=column)


def _filtered(rows: QuerySet[models.Video], wanted: VideoFilter) -> QuerySet[models.Video]:
    return service.filter_videos(
        rows,
        status=wanted.status,
        search=wanted.search,
        external_id=wanted.external_id,
        created_after=wanted.created_after,
        created_before=wanted.created_before,
    )


async def load_video(context: Context, key: UUID) -> Video | None:
    """The node loader of `Video`: everybody sees only their own."""
    viewer = await context.require_viewer()
    row = await service.owned_videos(viewer.user.id).get_or_none(id=key)
    return None if row is None else Video.from_row(row)
