"""The fields `operations` and `map`: which file goes where in the GraphQL request."""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from graphql_api.uploads.multipart.errors import MultipartError

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_SHOWN = 100
_MAX_PLACES = 1_000
_MAX_DEPTH = 20


@dataclass
class FileSlots:
    """The places of each file, by the name of its part."""

    slots: dict[str, list[tuple[Any, Any]]] = field(default_factory=dict)
    """Pairs of a container (dict or list) inside the operations and the key or index in it."""

    variables: set[str] = field(default_factory=set)
    """The variables that files go into."""

    def fill(self, name: str, file: object) -> None:
        """Put a file in all its places."""
        for container, key in self.slots[name]:
            container[key] = file


def read_operations(value: bytes) -> dict[str, Any]:
    """The GraphQL request, with null where files go.

    Raises:
        MultipartError: It is not a JSON object; so is an array, since requests are not batched.
    """
    operations = _json("operations", value)
    if isinstance(operations, list):
        raise MultipartError(400, "'operations' is an array: send one GraphQL request at a time.")
    if not isinstance(operations, dict):
        raise MultipartError(400, "'operations' must be a JSON object with a query and its variables.")
    return operations


def read_map(value: bytes, operations: dict[str, Any], max_files: int) -> FileSlots:
    """The places in `operations` that the field `map` names.

    Raises:
        MultipartError: It is not an object of lists of paths, a path leads to something other than a null in
            the variables, two lead to the same one, or there are more than `max_files` files.
    """
    file_map = _json("map", value)
    if not isinstance(file_map, dict):
        raise MultipartError(400, "'map' must be a JSON object of lists of paths.")
    if len(file_map) > max_files:
        raise MultipartError(
            400,
            f"The request has {len(file_map)} files; {max_files} at once are allowed.",
            "max_files_per_upload",
        )
    found = FileSlots()
    taken: set[tuple[int, Any]] = set()
    for name, paths in file_map.items():
        if not isinstance(paths, list) or not paths:
            raise MultipartError(400, f"'map' must give the file {_shown(name)} a list of paths.")
        if len(taken) + len(paths) > _MAX_PLACES:
            raise MultipartError(400, f"'map' names more than {_MAX_PLACES} places.")
        slots = [_slot(operations, path) for path in paths]
        for path, (container, key) in zip(paths, slots, strict=True):
            if (id(container), key) in taken:
                raise MultipartError(400, f"'map' names the path {_shown(path)} twice.")
            taken.add((id(container), key))
        found.slots[name] = slots
        found.variables.update(path.split(".")[1] for path in paths)
    return found


def _json(name: str, value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise MultipartError(400, f"{name!r} is not JSON: {error}.") from error


def _slot(operations: dict[str, Any], path: object) -> tuple[Any, Any]:
    if not isinstance(path, str):
        raise MultipartError(400, f"'map' has a path that is no string: {_shown(path)}.")
    first, *rest = path.split(".", _MAX_DEPTH)
    if first != "variables" or not rest:
        raise MultipartError(400, f"The path {_shown(path)} in 'map' does not lead into the variables.")
    container: Any = operations
    key: Any = first
    for part in rest:
        container = _child(container, key, path)
        key = int(part) if isinstance(container, list) and _INDEX.fullmatch(part) else part
    if _child(container, key, path) is not None:
        raise MultipartError(400, f"The path {_shown(path)} in 'map' leads to something other than null.")
    return container, key


def _child(container: Any, key: Any, path: str) -> Any:
    is_there = (
        key in container
        if isinstance(container, dict)
        else isinstance(container, list) and isinstance(key, int) and key < len(container)
    )
    if not is_there:
        raise MultipartError(400, f"The path {_shown(path)} in 'map' leads nowhere in 'operations'.")
    return container[key]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
