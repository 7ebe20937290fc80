"""Choosing among the models of a server."""

import difflib
from collections.abc import Sequence

from cli.errors import CliError
from cli.operations import RemoteModel

FACE_DETECTION = "FACE_DETECTION"


def choose_model(models: Sequence[RemoteModel], name: str | None) -> RemoteModel:
    """The model of that name, or else the first face detector that is ready.

    Raises:
        CliError: There is none.
    """
    if name is None:
        for model in models:
            if model.task == FACE_DETECTION and model.is_ready:
                return model
        raise CliError("The server has no face detector that is ready: choose a model with --model.")
    for model in models:
        if model.name == name:
            return model
    raise CliError(f"The server has no model {name!r}: {near(name, [model.name for model in models])}", 2)


def near(name: str, names: Sequence[str]) -> str:
    """What may have been meant instead of a name."""
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:20])
    return f"choose from {shown}{', …' if len(names) > 20 else ''}."
