"""Uploading videos by the GraphQL multipart request specification."""

import strawberry
from strawberry.file_uploads import Upload

from domain.analyses.service import create_analysis
from domain.errors import InvalidError, LimitExceededError, UserFacingError
from domain.videos import models, service
from domain.videos.models import VideoStatus
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.analyses.types import Analysis
from graphql_api.context import Context, Info
from graphql_api.errors import Payload, UserError, user_error
from graphql_api.fields import mutation
from graphql_api.uploads import StreamedFile
from graphql_api.videos import Video
from tasks.analyses import complete_settings
from tasks.doorbell import ring


@strawberry.type(description="The result of an upload.")
class UploadVideosPayload(Payload):
    videos: list[Video] = strawberry.field(
        default_factory=list, description="A video for each file that was taken, in their order."
    )
    analyses: list[Analysis] = strawberry.field(
        default_factory=list, description="The analysis of each of these videos, if asked for."
    )


@strawberry.type
class UploadMutations:
    @mutation(
        "Upload videos, by the GraphQL multipart request specification. Each is looked at after the answer; "
        "`analyze` also starts an analysis of each."
    )
    async def upload_videos(
        self, info: Info, files: list[Upload], analyze: AnalysisSettingsInput | None = None
    ) -> UploadVideosPayload:
        context, payload = info.context, UploadVideosPayload()
        if not files:
            raise InvalidError("There is no file to upload.", ("files",))
        settings = None
        if analyze is not None:
            app = context.state.settings
            settings = complete_settings(
                analyze.requested(), app.resolved_weights_dir(), app.resolved_weights_mirror(), ("analyze",)
            )
        for number, upload in enumerate(files):
            try:
                row = await _take(context, upload)
            except UserFacingError as error:
                payload.user_errors.append(_file_error(error, number))
                continue
            payload.videos.append(Video.from_row(row))
            if row.status == VideoStatus.REJECTED:
                payload.user_errors.append(_file_error(_too_large(context, row.filename), number))
            elif settings is not None:
                analysis = await create_analysis(context.user_id, row, settings)
                payload.analyses.append(Analysis.from_row(analysis))
        await ring()
        return payload


async def _take(context: Context, upload: object) -> models.Video:
    """Make a video of a streamed file; one that is too large becomes a rejected video."""
    streamed = context.upload
    if streamed is None or not isinstance(upload, StreamedFile):
        raise UserFacingError("This is no file: upload it by the GraphQL multipart request specification.")
    settings = context.state.settings
    if upload.too_large:
        reason = _too_large(context, upload.filename).message
        return await service.create_rejected_video(
            context.user_id, upload.filename, upload.size_bytes, reason
        )
    new = service.NewVideo(upload.filename, upload.storage_key, upload.size_bytes, upload.sha256)
    row = await service.create_video(context.user_id, new, max_videos_per_user=settings.max_videos_per_user)
    streamed.release(upload)
    return row


def _file_error(error: UserFacingError, number: int) -> UserError:
    return user_error(error.under("files", number), ("files",))


def _too_large(context: Context, filename: str) -> LimitExceededError:
    limit_bytes = context.state.settings.max_upload_bytes
    return LimitExceededError(f"{filename} is larger than {limit_bytes} bytes.", limit="max_upload_bytes")
