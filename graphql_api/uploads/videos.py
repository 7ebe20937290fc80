"""Uploading videos by the GraphQL multipart request specification."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson
import strawberry
from strawberry.file_uploads import Upload

from domain.analyses.service import check_idempotency_key
from domain.analyses.settings import AnalysisSettings
from domain.errors import (
    IdempotencyMismatchError,
    InvalidError,
    LimitExceededError,
    NotSignedInError,
    UserFacingError,
)
from domain.videos import models, service
from domain.videos.idempotency import UploadKey, find_upload
from domain.videos.stored_file import drop, keep_or_drop
from graphql_api.analyses.new_video import analyse_new_video, settings_of_new_video
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.analyses.types import Analysis
from graphql_api.context import Context, Info
from graphql_api.errors import Payload, UserError, user_error
from graphql_api.fields import mutation
from graphql_api.uploads.multipart import StreamedFile
from graphql_api.videos import Video
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
        "`analyze` also starts an analysis of each. `idempotencyKey` is any text of yours, up to 255 "
        "characters: the same key with the same files and settings makes nothing new but gives the first "
        "answer again, and completes an upload that broke off.",
        counted=True,
    )
    async def upload_videos(
        self,
        info: Info,
        files: list[Upload],
        analyze: AnalysisSettingsInput | None = None,
        idempotency_key: str | None = None,
    ) -> UploadVideosPayload:
        context, payload = info.context, UploadVideosPayload()
        if not files:
            raise InvalidError("There is no file to upload.", ("files",))
        settings = await settings_of_new_video(context, analyze)
        request = _Request(context, files, settings, idempotency_key)
        await request.check()
        for number, upload in enumerate(files):
            try:
                await request.take(number, upload, payload)
            except IdempotencyMismatchError:
                raise
            except UserFacingError as error:
                payload.user_errors.append(_file_error(error, number))
        await ring()
        return payload


@dataclass(frozen=True)
class _Request:
    """One call of `uploadVideos`."""

    context: Context
    files: Sequence[object]
    settings: AnalysisSettings | None
    idempotency_key: str | None

    async def check(self) -> None:
        """Raise IdempotencyMismatchError if the key was used with another input."""
        if self.idempotency_key is not None:
            check_idempotency_key(self.idempotency_key)
            await find_upload(self.context.user_id, self._key_of(0))

    async def take(self, number: int, upload: object, payload: UploadVideosPayload) -> None:
        """Make a video of a file and start its analysis; put both into the payload."""
        if self.context.upload is None or not isinstance(upload, StreamedFile):
            raise UserFacingError(
                "This is no file: upload it by the GraphQL multipart request specification."
            )
        if upload.too_large:
            error = _too_large(self.context, upload.filename)
            row = await service.create_rejected_video(
                self.context.user_id,
                upload.filename,
                upload.size_bytes,
                error.message,
                upload_key=self._key_of(number),
            )
            payload.videos.append(Video.from_row(row))
            raise error
        row = await self._create_video(number, upload)
        payload.videos.append(Video.from_row(row))
        if self.settings is not None:
            is_repeatable = self.idempotency_key is not None
            analysis = await analyse_new_video(self.context, row, self.settings, is_repeatable=is_repeatable)
            payload.analyses.append(analysis)

    async def _create_video(self, number: int, upload: StreamedFile) -> models.Video:
        state, streamed = self.context.state, self.context.upload
        new = service.NewVideo(upload.filename, upload.storage_key, upload.size_bytes, upload.sha256)
        if streamed is not None:
            # From here on the file may have a row, even if its commit is not answered: what has none in the
            # end is removed by housekeeping.
            streamed.release(upload)
        try:
            row = await service.create_video(
                self.context.user_id,
                new,
                max_videos_per_user=state.settings.max_videos_per_user,
                upload_key=self._key_of(number),
            )
        except (UserFacingError, NotSignedInError):
            await drop(state.storage, upload.storage_key)
            raise
        await keep_or_drop(state.storage, row, upload.storage_key)
        return row

    def _key_of(self, number: int) -> UploadKey | None:
        if self.idempotency_key is None:
            return None
        return UploadKey(self.idempotency_key, number, self._fingerprint())

    def _fingerprint(self) -> str:
        files = [
            [upload.filename, upload.size_bytes, upload.sha256]
            for upload in self.files
            if isinstance(upload, StreamedFile)
        ]
        settings = None if self.settings is None else asdict(self.settings)
        return hashlib.sha256(orjson.dumps([files, settings])).hexdigest()


def _file_error(error: UserFacingError, number: int) -> UserError:
    return user_error(error.under("files", number), ("files",))


def _too_large(context: Context, filename: str) -> LimitExceededError:
    limit_bytes = context.state.settings.max_upload_bytes
    return LimitExceededError(f"{filename} is larger than {limit_bytes} bytes.", limit="max_upload_bytes")
