"""Resumable uploads in the schema."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain.errors import NotFoundError
from domain.uploads import models
from domain.uploads.service import NewUpload, create_upload, open_uploads
from domain.videos.filenames import safe_filename
from domain.videos.service import get_video
from graphql_api.analyses.new_video import settings_of_new_video
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.context import Context, Info
from graphql_api.errors import Payload
from graphql_api.fields import field, mutation
from graphql_api.http.links import base_url
from graphql_api.relay import Connection, Node, find_uuid, global_id, paginate
from graphql_api.scalars import BigInt
from graphql_api.uploads.resumable.limits import upload_limits
from graphql_api.uploads.resumable.urls import upload_path
from graphql_api.videos import Video
from tasks.analyses import analysis_limits


@strawberry.type(description="A file on its way in by the tus protocol, in as many requests as it takes.")
class ResumableUpload(Node):
    row: strawberry.Private[models.Upload]
    filename: str = strawberry.field(description="The name of the file.")
    size_bytes: BigInt = strawberry.field(description="Size of the whole file.")
    offset_bytes: BigInt = strawberry.field(description="How much of it is stored.")
    expires_at: datetime = strawberry.field(
        description="When it is forgotten, unless more bytes come. Complete ones are forgotten, too; their "
        "videos stay."
    )
    created_at: datetime = strawberry.field(description="When it was begun.")

    @classmethod
    def from_row(cls, row: models.Upload) -> Self:
        """The upload in this row."""
        return cls(
            id=global_id("ResumableUpload", row.id),
            row=row,
            filename=row.filename,
            size_bytes=BigInt(row.size_bytes),
            offset_bytes=BigInt(row.offset_bytes),
            expires_at=row.expires_at,
            created_at=row.created_at,
        )

    @field(
        "Where to send the file, by the tus protocol 1.0. Whoever knows this URL may send to it and needs no "
        "sign-in: treat it as a password."
    )
    def url(self, info: Info) -> str:
        return base_url(info.context) + upload_path(self.row.id, info.context.state.secret)

    @field("The video that it became; null until all bytes have come.")
    async def video(self) -> Video | None:
        if self.row.video_id is None:
            return None
        try:
            return Video.from_row(await get_video(self.row.owner_id, self.row.video_id))
        except NotFoundError:
            return None


@strawberry.input(description="A file to be uploaded by the tus protocol.")
class CreateUploadInput:
    filename: str = strawberry.field(description="The name of the file.")
    size_bytes: BigInt = strawberry.field(description="Its size.")
    analyze: AnalysisSettingsInput | None = strawberry.field(
        default=None, description="Start an analysis with these settings as soon as the file has come."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Any text of yours, up to 255 characters: the same key with the same input gives the "
        "same upload again, until that is forgotten.",
    )


@strawberry.type(description="The result of beginning an upload.")
class CreateUploadPayload(Payload):
    upload: ResumableUpload | None = strawberry.field(
        default=None, description="Where to send the file; null if it did not work."
    )


async def load_upload(context: Context, upload_id: UUID) -> ResumableUpload | None:
    """The upload with this id, if it is the viewer's."""
    viewer = await context.require_viewer()
    row = await models.Upload.get_or_none(id=upload_id, owner_id=viewer.user.id)
    return None if row is None else ResumableUpload.from_row(row)


@strawberry.type
class ResumableUploadQueries:
    @field("A resumable upload of yours, by its id; null if there is none (any more).", signed_in=True)
    async def upload(self, info: Info, id: strawberry.ID) -> ResumableUpload | None:
        upload_id = find_uuid(id, "ResumableUpload")
        return None if upload_id is None else await load_upload(info.context, upload_id)

    @field(
        "Your resumable uploads that are not finished, newest first. They count for "
        "`max_open_uploads_per_user`; DELETE at its URL ends one.",
        signed_in=True,
    )
    async def uploads(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[ResumableUpload]:
        rows = open_uploads(info.context.user_id)
        return await paginate(rows, ResumableUpload.from_row, first=first, after=after)


@strawberry.type
class ResumableUploadMutations:
    @mutation(
        "Begin to upload a file that may be large: send its bytes to the URL by the tus protocol 1.0, for "
        "which there are clients in many languages. After the last byte it is a video.",
        counted=True,
    )
    async def create_upload(self, info: Info, input: CreateUploadInput) -> CreateUploadPayload:
        state, app = info.context.state, info.context.state.settings
        settings = await settings_of_new_video(info.context, input.analyze)
        if settings is not None:
            await analysis_limits(app).check(info.context.user_id)
        new = NewUpload(safe_filename(input.filename.encode()), input.size_bytes, settings)
        row = await create_upload(
            state.storage, info.context.user_id, new, upload_limits(app), input.idempotency_key
        )
        return CreateUploadPayload(upload=ResumableUpload.from_row(row))
