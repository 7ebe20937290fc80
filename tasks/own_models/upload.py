"""Taking a detector that an administrator uploads: checked in a process of its own, then registered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from domain.accounts.audit import Caller
from domain.accounts.models import User
from domain.errors import AsWritten, InvalidError, LimitExceededError, UserFacingError
from domain.own_models.models import OwnModel
from domain.own_models.service import (
    NewOwnModel,
    check_name_is_free,
    check_room_for_own_model,
    create_own_model,
)
from domain.videos.stored_file import drop
from ml_models.catalog import all_specs, broken_models
from settings import Settings
from storage.base import AbstractStorage
from tasks.process.alone import process_of_its_own
from tasks.process.errors import JobError, ProcessDiedError
from tasks.process.limits import TimeLimit
from tasks.process.protocol import Message

MAX_CONFIG_CHARACTERS = 65_536

_START_LIMIT = TimeLimit(60.0, 60.0)
"""Time for the process to start and to import what it needs, on a busy machine."""

_turns = asyncio.Lock()
"""One check at a time in a process of the API: each may take as much memory as an analysis process."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that lies in storage, and that the caller removes if it is not taken."""

    storage_key: str
    size_bytes: int
    sha256: str


async def upload_own_model(
    settings: Settings,
    storage: AbstractStorage,
    user: User,
    file: UploadedFile,
    config: str,
    *,
    release: Callable[[], object],
    caller: Caller,
) -> OwnModel:
    """Check a detector and let everybody use it.

    Args:
        settings: Of this server.
        storage: Where the file lies.
        user: Who uploads it: an administrator.
        file: The file; it is removed by the caller unless it was released.
        config: The YAML text.
        release: Is called when the file is about to get a row.
        caller: Where the request came from.

    Raises:
        InvalidError: It cannot be used; the message says why, and its path which field is wrong.
        ConflictError: There is a model of this name.
        LimitExceededError: There are as many as there may be, or it is too large.
    """
    if file.size_bytes > settings.max_own_model_bytes:
        raise too_large(settings)
    if len(config) > MAX_CONFIG_CHARACTERS:
        raise InvalidError(
            f"The configuration is longer than {MAX_CONFIG_CHARACTERS} characters.", ("config",)
        )
    await check_room_for_own_model(settings.max_own_models)
    async with _turns:
        with TemporaryDirectory(prefix="framewise-model-") as folder:
            path = Path(folder) / "model.onnx"
            await storage.download(file.storage_key, path)
            checked = await _check(settings, path, file, config)
    name = checked["name"]
    if name in all_specs() or any(model.name == name for model in broken_models()):
        raise InvalidError(f"There is a model {name} already: choose another name.", ("config", "name"))
    await check_name_is_free(name)
    new = NewOwnModel(name, file.storage_key, file.size_bytes, file.sha256, checked)
    release()
    try:
        return await create_own_model(user, new, caller=caller)
    except UserFacingError:
        await drop(storage, file.storage_key)
        raise


def too_large(settings: Settings) -> LimitExceededError:
    """The error of a file that is larger than a model may be."""
    return LimitExceededError(
        f"The model is larger than {settings.max_own_model_bytes} bytes.",
        limit="max_own_model_bytes",
        path=("file",),
    )


async def _check(settings: Settings, path: Path, file: UploadedFile, config: str) -> dict[str, Any]:
    """The checked configuration."""
    limit = TimeLimit(settings.own_model_check_seconds, settings.own_model_check_seconds)
    request = {"path": str(path), "config": config, "sha256": file.sha256, "size_bytes": file.size_bytes}
    try:
        async with process_of_its_own(settings) as process:
            await process.request(Message("get_ready_to_check"), limit=_START_LIMIT)
            answer = await process.request(Message("check_model", request), limit=limit)
    except JobError as error:
        raise _refusal(error) from error
    except ProcessDiedError as error:
        raise InvalidError(f"The model cannot be used: its check {error}.", ("file",)) from error
    found: dict[str, Any] = answer.values["config"]
    return found


def _refusal(error: JobError) -> InvalidError:
    message = str(error)
    if "ModelConfigError" not in error.kinds:
        return InvalidError(_sentence(f"The model cannot be used: {message}"), ("file",))
    field = message.partition(":")[0]
    path = (field,) if field in ("file", "config") else ("config", AsWritten(field))
    return InvalidError(_sentence(message), path)


def _sentence(text: str) -> str:
    """With a full stop, unless it ends as a sentence does already."""
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."
