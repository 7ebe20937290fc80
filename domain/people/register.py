"""The register of an account: whose turn it is to change it, and what follows from whose the faces are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from tortoise.backends.base.client import BaseDBAsyncClient

from domain.people.embeddings import joined_embeddings
from domain.people.models import Person
from domain.sql import fetch_rows, in_batches, placeholders, stored_uuid, write_many
from storage.cancellation import run_blocking

_DECIMALS = 3
"""Of a similarity: so one face more does not change those of all others a little."""

_FEW_ROWS = 200


@dataclass(frozen=True)
class RegisterState:
    """The register's version and epoch, in the transaction that holds its lock."""

    version: int
    epoch: int


async def lock_register(connection: BaseDBAsyncClient, owner_id: UUID) -> RegisterState:
    """Begin to change the register: whoever else does waits until the transaction ends.

    It must be the transaction's first statement. Rows written afterwards carry the version that it gives.
    """
    count_up = "UPDATE face_registers SET version = version + 1 WHERE owner_id = $1 RETURNING version, epoch"
    rows = await fetch_rows(count_up, owner_id, connection=connection)
    if not rows:
        await fetch_rows(
            "INSERT INTO face_registers (id, owner_id, version, epoch) VALUES ($1, $1, 0, 0) "
            "ON CONFLICT DO NOTHING RETURNING id",
            owner_id,
            connection=connection,
        )
        rows = await fetch_rows(count_up, owner_id, connection=connection)
    return RegisterState(int(rows[0]["version"]), int(rows[0]["epoch"]))


async def count_epoch_up(connection: BaseDBAsyncClient, owner_id: UUID) -> int:
    """Tell those who keep copies of embeddings that rows are gone; the new epoch. The lock must be held."""
    rows = await fetch_rows(
        "UPDATE face_registers SET epoch = epoch + 1 WHERE owner_id = $1 RETURNING epoch",
        owner_id,
        connection=connection,
    )
    return int(rows[0]["epoch"])


async def give_appearances(
    connection: BaseDBAsyncClient, appearance_ids: Iterable[UUID], person_id: UUID | None, version: int
) -> None:
    """Write whose these appearances are; None: they are rejected, and similar to nobody."""
    values = "person_id = $1, version = $2" + (", similarity = 0" if person_id is None else "")
    for ids in in_batches(appearance_ids):
        await fetch_rows(
            f"UPDATE appearances SET {values} WHERE id IN ({placeholders(len(ids), 3)}) "  # noqa: S608
            "RETURNING id",
            person_id,
            version,
            *ids,
            connection=connection,
        )


async def recount(connection: BaseDBAsyncClient, owner_id: UUID, person_ids: Iterable[UUID]) -> set[UUID]:
    """Bring up to date what follows from whose the appearances are; who was removed.

    Counts, the crops shown, the similarity of each appearance to its person's others. People whom nobody
    has touched and who have no appearances left are removed. The lock must be held.
    """
    removed: set[UUID] = set()
    for ids in in_batches(sorted(set(person_ids))):
        people = await Person.filter(owner_id=owner_id, id__in=ids).using_db(connection)
        rows = await _faces_of(connection, ids)
        if len(rows) > _FEW_ROWS:
            facts = await run_blocking(_facts, people, rows)
        else:
            facts = _facts(people, rows)
        empty = [person.id for person in people if not person.is_held and not facts.counts.get(person.id)]
        removed.update(empty)
        await Person.filter(id__in=empty).using_db(connection).delete()
        await _write_people(connection, [one for one in people if one.id not in removed], facts)
        if facts.similarities:
            await write_many(
                connection, "UPDATE appearances SET similarity = $1 WHERE id = $2", facts.similarities
            )
    return removed


@dataclass(frozen=True)
class _Facts:
    """What follows from the appearances of some people; of similarities only those that changed."""

    counts: dict[UUID, int]
    covers: dict[UUID, UUID]
    similarities: list[tuple[float, UUID]]


def _facts(people: Sequence[Person], rows: Sequence[dict[str, Any]]) -> _Facts:
    facts = _Facts({}, {}, [])
    rows_of: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        rows_of.setdefault(row["person_id"], []).append(row)
    for person in people:
        own = rows_of.get(person.id, [])
        facts.counts[person.id] = len(own)
        if own:
            facts.covers[person.id] = _cover(person, own)
        by_model: dict[str, list[dict[str, Any]]] = {}
        for row in own:
            by_model.setdefault(row["embedding_model"], []).append(row)
        for alike in by_model.values():
            facts.similarities.extend(_changed_similarities(alike))
    return facts


def _cover(person: Person, rows: Sequence[dict[str, Any]]) -> UUID:
    chosen = person.profile_appearance_id
    best = min(rows, key=lambda row: (row["id"] != chosen, -row["quality"], row["first_seconds"], row["id"]))
    return stored_uuid(best["id"])


def _changed_similarities(rows: Sequence[dict[str, Any]]) -> list[tuple[float, UUID]]:
    rows = sorted(rows, key=lambda row: row["id"])
    vectors = joined_embeddings([row["embedding"] for row in rows]).astype(np.float64)
    if len(rows) == 1:
        similarities = np.ones(1)
    else:
        others = vectors.sum(axis=0) - vectors
        lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-12)
        similarities = np.clip((others * vectors).sum(axis=1) / lengths, -1.0, 1.0)
    rounded = [round(float(value), _DECIMALS) for value in similarities]
    return [
        (value, row["id"]) for value, row in zip(rounded, rows, strict=True) if value != row["similarity"]
    ]


async def _faces_of(connection: BaseDBAsyncClient, person_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    rows = await fetch_rows(
        "SELECT id, person_id, quality, similarity, first_seconds, embedding, embedding_model "  # noqa: S608
        f"FROM appearances WHERE person_id IN ({placeholders(len(person_ids))})",
        *person_ids,
        connection=connection,
    )
    for row in rows:
        row["id"], row["person_id"] = stored_uuid(row["id"]), stored_uuid(row["person_id"])
    return rows


async def _write_people(connection: BaseDBAsyncClient, people: Sequence[Person], facts: _Facts) -> None:
    changed = []
    for person in people:
        count, cover = facts.counts[person.id], facts.covers.get(person.id)
        if (person.appearance_count, person.cover_appearance_id) != (count, cover):
            changed.append((count, cover, datetime.now(UTC), person.id))
    if changed:
        await write_many(
            connection,
            "UPDATE people SET appearance_count = $1, cover_appearance_id = $2, updated_at = $3 "
            "WHERE id = $4",
            changed,
        )
