"""Importing videos from URLs."""

import hashlib
from dataclasses import asdict

import orjson
import strawberry

from domain.analyses.service import check_idempotency_key
from domain.analyses.settings import AnalysisSettings
from domain.errors import InvalidError, LimitExceededError
from domain.videos.idempotency import UploadKey
from domain.videos.imports import create_import
from graphql_api.analyses.new_video import analyse_new_video, settings_of_new_video
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.analyses.types import Analysis
from graphql_api.context import Info
from graphql_api.errors import Payload, user_error
from graphql_api.fields import mutation
from graphql_api.videos import Video
from tasks.imports.addresses import AddressPolicy, parse_networks
from tasks.imports.errors import AddressRefusedError
from tasks.imports.filenames import url_filename
from tasks.imports.urls import ImportUrl, parse_url


@strawberry.type(description="The result of asking for an import.")
class ImportVideoPayload(Payload):
    video: Video | None = strawberry.field(
        default=None, description="The video, PROBING while its file is fetched; null if it did not work."
    )
    analysis: Analysis | None = strawberry.field(
        default=None, description="Its analysis, if one was asked for."
    )


@strawberry.type
class ImportMutations:
    @mutation(
        "Fetch a video from a public http:// or https:// URL that needs no sign-in. It is fetched after the "
        "answer and then looked at like an uploaded one; if it does not come, it is REJECTED with the "
        "reason. Deleting the video ends the fetching. `analyze` also starts an analysis of it. "
        "`idempotencyKey` is any text of yours, up to 255 characters: the same key with the same URL and "
        "settings makes nothing new but gives the first answer again.",
        counted=True,
    )
    async def import_video(
        self,
        info: Info,
        url: str,
        analyze: AnalysisSettingsInput | None = None,
        idempotency_key: str | None = None,
    ) -> ImportVideoPayload:
        context, app = info.context, info.context.state.settings
        checked = _checked(url, AddressPolicy(parse_networks(app.import_allowed_networks)))
        settings = await settings_of_new_video(context, analyze)
        row = await create_import(
            context.user_id,
            url,
            url_filename(checked),
            max_videos_per_user=app.max_videos_per_user,
            max_imports_per_user=app.max_imports_per_user,
            upload_key=_upload_key(url, settings, idempotency_key),
        )
        payload = ImportVideoPayload(video=Video.from_row(row))
        if settings is not None:
            try:
                payload.analysis = await analyse_new_video(
                    context, row, settings, is_repeatable=idempotency_key is not None
                )
            except LimitExceededError as error:
                payload.user_errors.append(user_error(error.under("analyze"), ("analyze",)))
        return payload


def _checked(text: str, policy: AddressPolicy) -> ImportUrl:
    """The URL, if it may be fetched as far as can be told without looking its name up."""
    try:
        url = parse_url(text)
    except AddressRefusedError as error:
        raise InvalidError(error.message, ("url",)) from error
    if url.literal is not None and not policy.permits(url.literal):
        raise InvalidError(
            "The address in the URL is not public, nor in import_allowed_networks of this server.", ("url",)
        )
    return url


def _upload_key(url: str, settings: AnalysisSettings | None, idempotency_key: str | None) -> UploadKey | None:
    if idempotency_key is None:
        return None
    check_idempotency_key(idempotency_key)
    told = [url, None if settings is None else asdict(settings)]
    fingerprint = hashlib.sha256(orjson.dumps(told)).hexdigest()
    return UploadKey(idempotency_key, 0, fingerprint, otherwise="another URL or other settings")
