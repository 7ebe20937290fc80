"""Files that are to go: noted with the change that orphans them, removed by workers until it is certain."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model

from domain.references import referenced
from domain.sql import fetch_rows, placeholders, skip_locked
from storage.base import AbstractStorage
from storage.errors import InvalidKeyError, StorageError

log = logging.getLogger(__name__)

_SOURCES = "uploads/"
"""Folder of files that may be written in several goes."""

REPEAT_SECONDS = 10.0
"""Time between two removals of the same prefix, and before a failed one is tried again."""

BATCH = 100
"""Most removals of one call of `process_removals`."""


class Removal(Model):
    """A prefix of storage keys that nothing refers to any more."""

    id = fields.UUIDField(primary_key=True)
    prefix = fields.CharField(max_length=512)
    """A key, or everything below a folder of keys."""
    due_at = fields.FloatField(db_index=True)
    """When it is looked at next, in seconds since the epoch."""
    final_at = fields.FloatField()
    """From when on no late write can bring a file back, in seconds since the epoch."""

    class Meta:
        table = "removals"


@dataclass(frozen=True)
class _Due:
    id: UUID
    prefix: str
    final_at: float


async def note_removals(
    connection: BaseDBAsyncClient, prefixes: Iterable[str], *, late_write_seconds: float = 0.0
) -> list[UUID]:
    """Note, in the transaction that lets go of them, which files are to be removed once it is committed.

    Whether anything else refers to them is not asked now: others may let go at the same time, and each would
    see the other's reference. It is asked before the removal, when all is committed.

    Args:
        connection: Of the transaction.
        prefixes: Keys, or folders of keys.
        late_write_seconds: For so long a worker may still write there; the removal is repeated until then.
    """
    now = time.time()
    removals = [
        Removal(id=uuid4(), prefix=prefix, due_at=now, final_at=now + late_write_seconds)
        for prefix in dict.fromkeys(prefixes)
    ]
    if removals:
        await Removal.bulk_create(removals, using_db=connection)
    return [removal.id for removal in removals]


async def process_removals(storage: AbstractStorage, only: Sequence[UUID] | None = None) -> int:
    """Remove files that are due, up to `BATCH` of them or just these; how many removals were looked at.

    Any number of processes may do it at once. One that dies meanwhile, or a storage that does not answer,
    leaves the removal due again after `REPEAT_SECONDS`.
    """
    began = time.time()
    due = await _claim(began, only)
    if not due:
        return 0
    kept = await referenced(removal.prefix for removal in due)
    done: list[UUID] = []
    try:
        for removal in due:
            if removal.prefix in kept or await _remove(storage, removal.prefix):
                is_certain = removal.prefix in kept or removal.final_at <= began
                done += [removal.id] if is_certain else []
    except StorageError as error:
        log.warning("deleted files are still stored, their removal is tried again: %s", error)
    finally:
        await Removal.filter(id__in=done).delete()
    return len(due)


async def try_removals(storage: AbstractStorage, removal_ids: Sequence[UUID]) -> None:
    """Remove files at once, as far as that is quick; what is left over is the workers' to remove."""
    try:
        await process_removals(storage, removal_ids[:BATCH])
    except Exception:
        # What noted the removals is committed: its caller has nothing to undo.
        log.exception("files were not removed at once; workers do it")


async def _claim(now: float, only: Sequence[UUID] | None) -> list[_Due]:
    if only is not None and not only:
        return []
    due = Removal.filter(due_at__lte=now)
    if not await (due if only is None else due.filter(id__in=list(only))).exists():
        return []
    chosen = "" if only is None else f"AND id IN ({placeholders(len(only), start=4)})"
    rows = await fetch_rows(
        "UPDATE removals SET due_at = $1 WHERE due_at <= $2 AND id IN ("  # noqa: S608 - placeholders
        f"SELECT id FROM removals WHERE due_at <= $2 {chosen} ORDER BY due_at LIMIT $3 {skip_locked()}) "
        "RETURNING id, prefix, final_at",
        now + REPEAT_SECONDS,
        now,
        BATCH,
        *(only or ()),
    )
    return [_Due(UUID(str(row["id"])), str(row["prefix"]), float(row["final_at"])) for row in rows]


async def _remove(storage: AbstractStorage, prefix: str) -> bool:
    try:
        await storage.delete(prefix)
        await storage.delete_prefix(prefix)
        if prefix.startswith(_SOURCES):
            await storage.discard_unfinished(prefix)
    except InvalidKeyError:
        log.exception("%r is no place in the storage", prefix)
    return True
