"""All data about a person over HTTP, by a signed link: a zip that is made while it is sent."""

import zipfile
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from domain.outages import is_outage
from domain.people.export import ChangeOf, PersonFile, SeenIn, read_permitted
from graphql_api.http.signed_urls import FileLink, LinkError, check_query, signed_query
from graphql_api.relay import global_id
from storage.base import AbstractStorage
from storage.content_disposition import content_disposition
from storage.errors import FileMissingError

EXPORTS_PATH = "/exports"

# No name of anybody: links and file names stand in logs.
_FILENAME = "person.zip"

_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-disposition": content_disposition(_FILENAME, attachment=True),
}


def export_url(export_id: UUID, expires_at: int, *, base_url: str, secret: bytes) -> str:
    """The link by which everybody who has it may fetch what was permitted, until then."""
    query = signed_query(FileLink(_key(str(export_id)), expires_at), secret)
    return f"{base_url.rstrip('/')}{EXPORTS_PATH}/{export_id}?{query}"


def exports_route(storage: AbstractStorage, secret: bytes) -> Route:
    """The route ``GET /exports/{id}``; nothing without a valid signature, or once the person is deleted."""

    async def serve_export(request: Request) -> Response:
        export_id: UUID = request.path_params["export_id"]
        try:
            check_query(_key(str(export_id)), request.query_params, secret)
            person = await read_permitted(export_id)
        except LinkError as error:
            return _refusal(403, str(error))
        except Exception as error:
            if not is_outage(error):
                raise
            return _refusal(503, "The database does not answer. Try again later.")
        if person is None:
            return _refusal(404, "This person is no longer there.")
        return StreamingResponse(zip_of(storage, person), media_type="application/zip", headers=_HEADERS)

    return Route(f"{EXPORTS_PATH}/{{export_id:uuid}}", serve_export, methods=["GET"], name="exports")


async def zip_of(storage: AbstractStorage, person: PersonFile) -> AsyncIterator[bytes]:
    """The pieces of a zip: ``person.json``, then a JPEG for each appearance whose picture is there."""
    sink = _Sink()
    names = [f"faces/{number:06}.jpg" for number in range(1, len(person.appearances) + 1)]
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload] # it needs no more than write
        told = orjson.dumps(_told(person, names), option=orjson.OPT_INDENT_2)
        archive.writestr("person.json", told, zipfile.ZIP_DEFLATED)
        yield sink.take()
        for name, seen in zip(names, person.appearances, strict=True):
            try:
                picture = await storage.get(seen.crop_key)
            except FileMissingError:
                continue
            archive.writestr(name, picture, zipfile.ZIP_STORED)
            yield sink.take()
    yield sink.take()


class _Sink:
    """Takes what a zip file writes, piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep it until it is taken."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _told(person: PersonFile, names: Sequence[str]) -> dict[str, Any]:
    return {
        "id": global_id("Person", person.id),
        "fullName": person.full_name,
        "birthDate": person.birth_date,
        "sex": person.sex,
        "createdAt": person.created_at,
        "updatedAt": person.updated_at,
        "appearances": [
            _appearance(seen, name) for seen, name in zip(person.appearances, names, strict=True)
        ],
        "history": [_change(change) for change in person.changes],
        "notTheSameAs": [
            {"personId": global_id("Person", other), "answeredAt": moment}
            for other, moment in person.not_same_as
        ],
    }


def _appearance(seen: SeenIn, name: str) -> dict[str, Any]:
    return {
        "id": global_id("Appearance", seen.id),
        "video": {
            "id": global_id("Video", seen.video_id),
            "title": seen.video_title,
            "filename": seen.video_filename,
            "recordedAt": seen.recorded_at,
        },
        "analysisId": global_id("Analysis", seen.analysis_id),
        "trackId": seen.track_id,
        "firstSeconds": seen.first_seconds,
        "lastSeconds": seen.last_seconds,
        "similarity": seen.similarity,
        "quality": seen.quality,
        "isConfirmed": seen.is_confirmed,
        "foundAt": seen.found_at,
        "embeddingModel": seen.embedding_model,
        "picture": name,
    }


def _change(change: ChangeOf) -> dict[str, Any]:
    return {
        "id": global_id("PersonChange", change.id),
        "kind": change.kind.value,
        "changedAt": change.changed_at,
        "changedBy": change.changed_by,
        "isUndone": change.is_undone,
        "edits": [{"field": edit.field, "before": edit.before, "after": edit.after} for edit in change.edits],
    }


def _key(export_id: str) -> str:
    return f"exports/{export_id}"


def _refusal(status_code: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code, headers={"cache-control": "no-store"})
