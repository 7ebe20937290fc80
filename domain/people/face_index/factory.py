"""Which index this installation has."""

import logging

from tortoise.exceptions import OperationalError

from domain.people.face_index.base import AbstractFaceIndex
from domain.people.face_index.pgvector import PgvectorFaceIndex, is_pgvector_there
from domain.people.face_index.scan import ScanFaceIndex
from domain.sql import is_postgres

log = logging.getLogger(__name__)


async def create_face_index() -> AbstractFaceIndex:
    """The index of the connected database: in PostgreSQL where the extension `vector` is, else in memory."""
    if not is_postgres():
        return ScanFaceIndex()
    if not await is_pgvector_there():
        log.info("Faces are searched in memory: this database has not the extension vector")
        return ScanFaceIndex()
    index = PgvectorFaceIndex()
    try:
        await index.prepare()
    except OperationalError as error:
        log.warning("Faces are searched in memory: the table for the extension vector fails: %s", error)
        return ScanFaceIndex()
    return index
