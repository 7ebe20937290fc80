"""Which stored files belong to something.

It is asked in SQL, for what knows the tables of every feature would have to stand above all of them.
"""

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from domain.sql import fetch_rows, in_batches, placeholders

_ANALYSES = "analyses"
_ROWS_BY_ID = {_ANALYSES: "analyses", "videos": "videos"}
"""Folder whose subfolders are named by ids → the table with these ids."""

_DETECTIONS = "detections"

_FACE = re.compile(r"([0-9a-f-]{36})/faces/(\d{1,18})\.jpg")
"""The crop of an appearance, in the folder of its analysis."""


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
        faces = {name: match for name in names if (match := _FACE.fullmatch(name))}
        ids = {name: _uuid(name) for name in names if name not in faces}
        known = await _look_up(_ROWS_BY_ID[folder], "id", [key for key in ids.values() if key is not None])
        existing = {name for name, key in ids.items() if key is None or str(key) in known}
        return existing | await _shown_faces(faces) if folder == _ANALYSES else existing | faces.keys()
    if folder == _DETECTIONS:
        return await _look_up("videos", "sha256", names)
    sources = await _look_up("videos", "storage_key", names)
    sources |= await _look_up("own_models", "storage_key", names)
    return sources | await _look_up("uploads", "storage_key", names, "AND video_id IS NULL")


async def _shown_faces(names: Mapping[str, re.Match[str]]) -> set[str]:
    """Those of the crops that show an appearance which is there."""
    tracks: dict[str, list[int]] = {}
    for match in names.values():
        if _uuid(match[1]) is not None:
            tracks.setdefault(match[1], []).append(int(match[2]))
    shown: set[tuple[str, int]] = set()
    for analysis_id, numbers in tracks.items():
        for part in in_batches(numbers):
            rows = await fetch_rows(
                "SELECT track_id FROM appearances WHERE analysis_id = $1 "  # noqa: S608 - placeholders
                f"AND track_id IN ({placeholders(len(part), 2)})",
                UUID(analysis_id),
                *part,
            )
            shown.update((analysis_id, int(row["track_id"])) for row in rows)
    return {name for name, match in names.items() if (match[1], int(match[2])) in shown}


async def _look_up(table: str, column: str, values: list[UUID] | list[str], condition: str = "") -> set[str]:
    found: set[str] = set()
    for part in in_batches(values):
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
