"""Settings as one command was told them: options win over the environment."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.errors import CliError
from ml_models.catalog import use_models_dir
from settings import Settings, get_settings

_ENVIRONMENT_PREFIX = "FRAMEWISE_"


def settings_with(**options: Any) -> Settings:
    """The settings of this process with the given options in place of what the environment says.

    Options that are None are left out. They go through the environment, so that `get_settings` gives the same
    anywhere in this process.

    Raises:
        CliError: A value is not valid; the message names the setting.
    """
    for name, value in options.items():
        if value is not None:
            text = str(value.expanduser().absolute()) if isinstance(value, Path) else str(value)
            os.environ[f"{_ENVIRONMENT_PREFIX}{name.upper()}"] = text
    get_settings.cache_clear()
    try:
        settings = get_settings()
    except ValidationError as error:
        problems = [f"{_setting_name(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise CliError(f"Wrong settings. {'; '.join(problems)}", 2) from error
    use_models_dir(settings.resolved_models_dir())
    _check_face_embedding_model(settings.face_embedding_model)
    return settings


def _check_face_embedding_model(name: str) -> None:
    if not name:
        return
    from ml_models.errors import PluginError, UnknownModelError
    from ml_models.factory import face_embedder_spec  # only where a model is named

    try:
        with suppress(PluginError):  # what needs it says what is wrong with it
            face_embedder_spec(name)
    except UnknownModelError as error:
        raise CliError(f"Wrong settings. {_setting_name(('face_embedding_model',))}: {error}", 2) from error


def _setting_name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    return name if name.startswith(_ENVIRONMENT_PREFIX) else f"{_ENVIRONMENT_PREFIX}{name.upper()}"
