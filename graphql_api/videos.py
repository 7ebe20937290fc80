"""Videos at the edge."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from domain.pages import read_all
from domain.sql import StoredId, stored_flag, stored_uuid
from domain.videos import models, service
from domain.videos.files import thumbnail_key
from domain.videos.models import VideoStatus
from graphql_api.context import Context, Info
from graphql_api.execution.selection import Wants, everything
from graphql_api.fields import field
from graphql_api.http.links import link, source_link
from graphql_api.relay import Connection, Node, find_uuid, id_of
from graphql_api.row_pages import narrowed, paginate_rows
from graphql_api.rows import Computed, RowType, enum_of, moment_of
from graphql_api.scalars import BigInt

if TYPE_CHECKING:
    from graphql_api.analyses.types import Analysis

strawberry.enum(VideoStatus, description="What is known of an uploaded file.")

LazyAnalysis = Annotated["Analysis", strawberry.lazy("graphql_api.analyses.types")]


@strawberry.type(description="An uploaded video.")
class Video(Node):
    key: strawberry.Private[UUID]
    storage_key: strawberry.Private[str | None]
    container: strawberry.Private[str | None]
    has_thumbnail: strawberry.Private[bool]
    title: str = strawberry.field(description="Its title: at first the file's name without its ending.")
    filename: str = strawberry.field(description="The name of the uploaded file.")
    external_id: str | None = strawberry.field(
        description="What another system calls it, such as its id on a video site."
    )
    status: VideoStatus = strawberry.field(description="PROBING until the file has been looked at.")
    rejection_reason: str | None = strawberry.field(description="Why the file was turned away.")
    source_url: str | None = strawberry.field(description="Where it was imported from; null if uploaded.")
    size_bytes: BigInt = strawberry.field(description="Size of the file; 0 while it is being fetched.")
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
    def from_row(cls, row: models.Video) -> "Video":
        """The video in this row."""
        return VIDEO_ROWS.of_model(row)

    @field(
        "A link to the file, signed and expiring, that answers Range requests; null once it was rejected, "
        "and while it is still being fetched."
    )
    async def url(self, info: Info) -> str | None:
        return await source_link(info.context, self.key, self.storage_key, self.filename, self.container)

    @field("A link to a small picture of it, a JPEG, signed and expiring.")
    async def thumbnail_url(self, info: Info) -> str | None:
        if not self.has_thumbnail:
            return None
        key = thumbnail_key(self.key)
        return await link(info.context, key, content_type="image/jpeg", filename=f"{self.title}.jpg")

    @field("Its analyses, newest first.")
    async def analyses(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[LazyAnalysis]:
        from graphql_api.analyses.types import analyses_of_videos

        async def load(keys: list[UUID]) -> Sequence[Connection[LazyAnalysis]]:
            return await analyses_of_videos(keys, first, after)

        return await info.context.loader(f"analyses {first} {after}", load).load(self.key)


VIDEO_ROWS = RowType(
    Video,
    models.Video,
    {
        "stored_key": "id",
        "title": "title",
        "filename": "filename",
        "external_id": "external_id",
        "stored_status": "status",
        "rejection_reason": "rejection_reason",
        "source_url": "source_url",
        "storage_key": "storage_key",
        "size_bytes": "size_bytes",
        "stored_sha256": "sha256",
        "container": "container",
        "codec": "codec",
        "width": "width",
        "height": "height",
        "duration_seconds": "duration_seconds",
        "frame_count": "frame_count",
        "average_fps": "average_fps",
        "stored_variability": "is_variable_frame_rate",
        "has_thumbnail": "has_thumbnail",
        "stored_created_at": "created_at",
    },
    id=id_of("Video", "stored_key"),
    key=Computed(("stored_key",), stored_uuid),
    status=enum_of("stored_status", VideoStatus),
    sha256=Computed(("stored_sha256",), lambda stored: stored or None),
    is_variable_frame_rate=Computed(("stored_variability",), stored_flag),
    created_at=moment_of("stored_created_at"),
)
"""How rows become videos."""


async def load_videos(keys: Sequence[UUID], owner_id: UUID | None = None) -> dict[UUID, Video]:
    """Those of these videos that are there: of one account, or of all."""
    videos = await read_videos(keys, owner_id)
    return {video.key: video for video in videos.values()}


async def read_videos(
    keys: Sequence[StoredId], owner_id: UUID | None, wants: Wants = everything
) -> dict[StoredId, Video]:
    """The same by their ids as they are stored; only what is wanted of them is read."""
    rows = VIDEO_ROWS.rows.with_ids(keys)
    if owner_id is not None:
        rows = rows.of_owner(owner_id)
    names = VIDEO_ROWS.columns_wanted(wants, "key")
    found = await read_all(narrowed(rows, names))
    return {row[0]: video for row, video in zip(found, VIDEO_ROWS.partly(found, names), strict=True)}


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
        wanted = filter or VideoFilter()
        rows = service.filter_videos(
            VIDEO_ROWS.rows.of_owner(info.context.user_id),
            status=wanted.status,
            search=wanted.search,
            external_id=wanted.external_id,
            created_after=wanted.created_after,
            created_before=wanted.created_before,
        )
        column = _ORDER_COLUMNS[order_by or VideoOrder.NEWEST]
        return await paginate_rows(info, rows, VIDEO_ROWS, first=first, after=after, order_by=column)


async def load_video(context: Context, key: UUID) -> Video | None:
    """The node loader of `Video`: everybody sees only their own."""
    viewer = await context.require_viewer()
    row = await service.owned_videos(viewer.user.id).get_or_none(id=key)
    return None if row is None else Video.from_row(row)
