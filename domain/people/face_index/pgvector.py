"""The index in PostgreSQL, where its extension `vector` is: no memory of this process, any number of faces.

The vectors lie in a table of their own, which is no part of the migrations: it is made at the start if it
is missing, and brought up to date before each search. https://github.com/pgvector/pgvector
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from tortoise import connections
from tortoise.transactions import in_transaction
from typing_extensions import override

from domain.people.embeddings import joined_embeddings
from domain.people.face_index.base import AbstractFaceIndex, PersonMatch
from domain.people.face_index.ranking import FIRST_SHARE, first_of_each
from domain.sql import fetch_rows
from storage.cancellation import run_blocking

_PAGE_ROWS = 500
"""Rows handed over at once: their numbers are encoded on the event loop, in a few milliseconds."""

_MANY_ROWS = 10_000
"""After so many new rows at once PostgreSQL is told how many there are. Else it plans as for a few, with one
process, until it looks by itself after a minute or so: the search takes three times as long."""

_ANALYZE = "ANALYZE face_vectors (owner_id, embedding_model, person_id)"

_PREPARATION_LOCK = 0x6672616D65666163  # "framefac"

_PREPARE = """
SELECT pg_advisory_xact_lock({lock});
CREATE TABLE IF NOT EXISTS face_vectors (
    id UUID PRIMARY KEY REFERENCES appearances (id) ON DELETE CASCADE,
    owner_id UUID NOT NULL,
    embedding_model VARCHAR(64) NOT NULL,
    person_id UUID,
    version BIGINT NOT NULL,
    embedding VECTOR NOT NULL
);
CREATE INDEX IF NOT EXISTS face_vectors_position ON face_vectors (owner_id, embedding_model, version, id);
"""

_READ_CHANGED = """
WITH last AS (
    SELECT version, id FROM face_vectors WHERE owner_id = $1 AND embedding_model = $2
    ORDER BY version DESC, id DESC LIMIT 1
)
SELECT id, version, embedding FROM appearances
WHERE owner_id = $1 AND embedding_model = $2 AND version >= COALESCE((SELECT version FROM last), -1)
  AND (version, id) > (
      COALESCE((SELECT version FROM last), -1),
      COALESCE((SELECT id FROM last), '00000000-0000-0000-0000-000000000000')
  )
ORDER BY version, id
LIMIT $3
"""

# What was written or deleted since it was read is left to whoever reads next, and to the foreign key.
_PUT = """
INSERT INTO face_vectors (id, owner_id, embedding_model, person_id, version, embedding)
SELECT a.id, a.owner_id, a.embedding_model, a.person_id, a.version,
       ($3::real[])[(given.number - 1) * $4 + 1 : given.number * $4]::vector
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS given (id, version, number)
JOIN appearances AS a ON a.id = given.id AND a.version = given.version
ORDER BY given.number
FOR KEY SHARE OF a
ON CONFLICT (id) DO UPDATE
SET person_id = EXCLUDED.person_id, version = EXCLUDED.version, embedding = EXCLUDED.embedding
WHERE face_vectors.version < EXCLUDED.version
"""

# The distance is the negative inner product, which is the cosine where lengths are 1.
_SEARCH = """
SELECT person_id, id, embedding <#> (SELECT $3::real[]::vector) AS distance
FROM face_vectors
WHERE owner_id = $1 AND embedding_model = $2 AND person_id IS NOT NULL
ORDER BY distance, id
LIMIT $4
"""


async def is_pgvector_there() -> bool:
    """Whether the connected PostgreSQL database has the extension."""
    return bool(await fetch_rows("SELECT 1 AS one FROM pg_extension WHERE extname = 'vector'"))


class PgvectorFaceIndex(AbstractFaceIndex):
    """Has PostgreSQL compare with every face of the account."""

    async def prepare(self) -> None:
        """Make the table if it is missing; any number of processes may do it at once."""
        async with in_transaction() as connection:
            await connection.execute_script(_PREPARE.format(lock=_PREPARATION_LOCK))

    @override
    async def search(
        self, owner_id: UUID, embedding_model: str, vector: NDArray[np.float32], limit: int
    ) -> list[PersonMatch]:
        if limit <= 0:
            return []
        await self._refresh(owner_id, embedding_model)
        values, share = vector.tolist(), limit * FIRST_SHARE
        while True:
            rows = await fetch_rows(_SEARCH, owner_id, embedding_model, values, share)
            matches = first_of_each(map(_match, rows), limit)
            if len(matches) == limit or len(rows) < share:
                return matches
            share *= FIRST_SHARE

    async def _refresh(self, owner_id: UUID, embedding_model: str) -> None:
        count = 0
        while True:
            rows = await fetch_rows(_READ_CHANGED, owner_id, embedding_model, _PAGE_ROWS)
            if rows:
                values = await run_blocking(_numbers, rows)
                ids, versions = [row["id"] for row in rows], [row["version"] for row in rows]
                await connections.get("default").execute_query(
                    _PUT, [ids, versions, values, len(values) // len(rows)]
                )
            count += len(rows)
            if len(rows) < _PAGE_ROWS:
                break
        if count >= _MANY_ROWS:
            await fetch_rows(_ANALYZE)


def _numbers(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """The embeddings of all rows behind each other."""
    numbers: list[float] = joined_embeddings([row["embedding"] for row in rows]).ravel().tolist()
    return numbers


def _match(row: Mapping[str, Any]) -> PersonMatch:
    return PersonMatch(row["person_id"], row["id"], -row["distance"])
