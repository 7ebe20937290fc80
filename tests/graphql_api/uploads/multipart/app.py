"""A server that takes uploads and tells what it got; nothing stays stored."""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from graphql_api.uploads.multipart import MultipartError, parse_multipart
from storage.base import AbstractStorage
from storage.local import LocalStorage

MAX_FILE_BYTES = 2**29
MAX_REQUEST_BYTES = 2**30


def make_app(storage: AbstractStorage) -> Starlette:
    async def upload(request: Request) -> JSONResponse:
        try:
            async with await parse_multipart(
                request,
                storage,
                max_file_bytes=MAX_FILE_BYTES,
                max_request_bytes=MAX_REQUEST_BYTES,
                max_files=10,
            ) as streamed:
                return JSONResponse(
                    {
                        "data": [
                            {
                                "filename": file.filename,
                                "content_type": file.content_type,
                                "size_bytes": file.size_bytes,
                                "sha256": file.sha256,
                                "too_large": file.too_large,
                            }
                            for file in streamed.files
                        ]
                    }
                )
        except MultipartError as error:
            return JSONResponse({"error": error.message}, error.status)

    return Starlette(routes=[Route("/graphql", upload, methods=["POST"])])


if "UPLOAD_FOLDER" in os.environ:
    folder = Path(os.environ["UPLOAD_FOLDER"])
    folder.mkdir(exist_ok=True)
    app = make_app(LocalStorage(folder))
