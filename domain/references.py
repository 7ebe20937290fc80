"""Which stored files belong to something.

It is asked in SQL, for what knows the tables of every feature would have to stand above all of them.
"""

from collections.abc import Iterable
from uuid import UUID

from domain.sql import fetch_rows, placeholders

_MOST_NAMES = 500
"""In one statement."""

_ROWS_BY_ID = {"analyses": "analyses", "videos": "videos"}
"""Folder whose subfolders are named by ids → the table with these ids."""

_DETECTIONS = "detections"


async def referenced(prefixes: Iterable[str]) -> set[str]:
    """Those of the prefixes that belong to something now: ``analyses/<id>``, a source, and the like.

    What has an unknown form in a folder of ids counts as referenced: it is not ours to remove.
    """
    by_folder: dict[str, dict[str, str]] = {}
    for prefix in prefixes:
        folder, _, name = prefix.partition("/")
        is_known = folder in _ROWS_BY_ID or folder == _DETECTIONS
        by_folder.setdefault(folder if is_known else "", {})[name if is_known else prefix] = prefix
    found: set[str] = set()
    for folder, names in by_folder.items():
        for existing in await _existing(folder, list(names)):
            found.add(names[existing])
    return found


async def _existing(folder: str, names: list[str]) -> set[str]:
    """Those of the names in a folder that a row has."""
    if folder in _ROWS_BY_ID:
        ids = {name: _uuid(name) for name in names}
        known = await _look_up(_ROWS_BY_ID[folder], "id", [key for key in ids.values() if key is not None])
        return {name for name, key in ids.items() if key is None or str(key) in known}
    if folder == _DETECTIONS:
        return await _look_up("videos", "sha256", names)
    sources = await _look_up("videos", "storage_key", names)
    sources |= await _look_up("own_models", "storage_key", names)
    return sources | await _look_up("uploads", "storage_key", names, "AND video_id IS NULL")


async def _look_up(table: str, column: str, values: list[UUID] | list[str], condition: str = "") -> set[str]:
    found: set[str] = set()
    for start in range(0, len(values), _MOST_NAMES):
        part = values[start : start + _MOST_NAMES]
        rows = await fetch_rows(
            f"SELECT DISTINCT {column} AS name FROM {table} "  # noqa: S608 - constants and placeholders
            f"WHERE {column} IN ({placeholders(len(part))}) {condition}",
            *part,
        )
        found.update(str(row["name"]) for row in rows)
    return found


def _uuid(name: str) -> UUID | None:
    try:
        key = UUID(name)
    except ValueError:
        return None
    return key if str(key) == name else None
