"""Having the database let go of the bytes of deleted rows, not only of the rows.

SQLite overwrites what is deleted (`secure_delete`), but the write-ahead log beside its file keeps what was
written before until it is cut off; https://sqlite.org/pragma.html#pragma_wal_checkpoint. PostgreSQL keeps
old versions of rows until a VACUUM. A deletion notes that this is owed, and whoever can pays it.
"""

import logging
import sqlite3
import time
from contextlib import closing
from uuid import UUID, uuid4

from tortoise import connections, fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model

from domain.duties import take_duty
from domain.engines.sqlite import ResilientSqliteClient
from domain.holders import this_process
from domain.outages import is_outage
from domain.sql import fetch_rows, is_postgres
from storage.cancellation import run_blocking

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.2
"""How long cutting off the log may wait for others, who wait for it meanwhile."""

_VACUUM_SECONDS = 60.0
_TABLES = (
    *("people", "appearances", "person_changes", "changed_people", "holds", "person_answers"),
    *("person_exports", "face_registers", "face_vectors"),
)
"""Of the register; the last one is there only where pgvector is."""


class Erasure(Model):
    """That files of the database may still hold what was deleted."""

    id = fields.UUIDField(primary_key=True)
    noted_at = fields.FloatField()
    """Seconds since the epoch."""

    class Meta:
        table = "erasures"


async def note_erasure(connection: BaseDBAsyncClient) -> None:
    """Note, in the transaction that deletes personal data, that it is to leave the files as well."""
    await Erasure.create(id=uuid4(), noted_at=time.time(), using_db=connection)


async def try_erasure() -> None:
    """Erase at once if that is quick; else workers do it. Nothing is raised."""
    try:
        if not is_postgres():
            await carry_out_erasures()
    except Exception as error:
        if not is_outage(error):
            log.exception("deleted data was not erased at once; workers do it")


async def carry_out_erasures() -> bool:
    """Erase what is noted; False if others were in the way and it is to be tried again."""
    owed = [UUID(str(one)) for one in await Erasure.all().limit(1000).values_list("id", flat=True)]
    if not owed:
        return True
    if is_postgres():
        if not await take_duty("erasing", this_process(), _VACUUM_SECONDS):
            return True
        for table in _TABLES:
            if (await fetch_rows("SELECT to_regclass($1) IS NOT NULL AS is_there", table))[0]["is_there"]:
                await connections.get("default").execute_script(f"VACUUM {table}")
    else:
        client = connections.get("default")
        assert isinstance(client, ResilientSqliteClient)  # noqa: S101 - the only engine but PostgreSQL's
        if client.filename != ":memory:" and not await run_blocking(_cut_off_log, client.filename):
            return False
    await Erasure.filter(id__in=owed).delete()
    return True


def _cut_off_log(path: str) -> bool:
    """Move the whole write-ahead log into the database and make it empty; False if somebody was at work."""
    with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS)) as connection:
        try:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            return False
        return not is_busy
