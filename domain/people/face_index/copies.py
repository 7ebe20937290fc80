"""Copies in memory of the embeddings of accounts, brought up to date from the database when they are used."""

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import require_context

from domain.people.embeddings import joined_embeddings
from domain.sql import fetch_rows, stored_uuid
from storage.cancellation import run_blocking

DEFAULT_MAX_BYTES = 512 * 2**20
"""Enough for 700,000 faces of 128 numbers."""

_PAGE_ROWS = 2000
"""Rows read at once, so that a large account keeps nobody waiting while it is read."""

_FEW_ROWS = 100
"""So many are taken over on the event loop, more by a thread."""

_ID_BYTES = 16
_LOOKUP_BYTES = 160
"""What a row takes in the look-up table of ids."""

_FIRST_ID = UUID(int=0)
_LAST_ID = UUID(int=2**128 - 1)
_NO_REGISTER = -1

# One statement, so that rows and version belong together. It goes on where the last one ended, in the order
# of (version, id): whatever is written later has a greater version, because writers wait for each other.
_READ_CHANGED = """
SELECT r.version AS register_version, r.epoch AS register_epoch,
       a.id, a.version, a.person_id, a.embedding
FROM face_registers r
LEFT JOIN (
    SELECT id, version, person_id, embedding FROM appearances
    WHERE owner_id = $1 AND version >= $3 AND (version > $3 OR id > $4) AND embedding_model = $2
    ORDER BY version, id
    LIMIT $6
) a ON r.epoch = $5
WHERE r.owner_id = $1
"""

Position = tuple[int, UUID]
"""Version and id of the row that was read last."""


@dataclass(frozen=True)
class Changes:
    """Rows that were read for a copy.

    Attributes:
        position: The position of the copy when they were read.
        epoch: Its epoch then.
        rows: Each with version and epoch of the register; the other columns are null where nothing changed.
    """

    position: Position
    epoch: int
    rows: Sequence[dict[str, Any]]


class FaceCopy:
    """The faces of one account that one embedding model described, without those that were rejected.

    Rows have no order that means anything: a face that goes leaves its row to the last one.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        """Held by whoever changes or reads it, but never while waiting for the database."""
        self.reading = asyncio.Lock()
        """Held by whoever reads for it outside of a transaction: the others need not read the same."""
        self.epoch = _NO_REGISTER
        self.count = 0
        self._position: Position = (-1, _FIRST_ID)
        self._embeddings: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._ids: NDArray[np.uint8] = np.empty((0, 2, _ID_BYTES), np.uint8)
        self._rows: dict[bytes, int] = {}

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """float32 (n, d), each of length 1."""
        return self._embeddings[: self.count]

    @property
    def appearance_ids(self) -> NDArray[np.uint8]:
        """uint8 (n, 16): the bytes of each appearance's id."""
        return self._ids[: self.count, 0]

    @property
    def person_ids(self) -> NDArray[np.uint8]:
        """uint8 (n, 16): the bytes of the id of the person that each appearance belongs to."""
        return self._ids[: self.count, 1]

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        return self._embeddings.nbytes + self._ids.nbytes + _LOOKUP_BYTES * len(self._rows)

    def appearance_id(self, row: int) -> UUID:
        """The appearance of a row."""
        return UUID(bytes=self._ids[row, 0].tobytes())

    def person_id(self, row: int) -> UUID:
        """The person that the appearance of a row belongs to."""
        return UUID(bytes=self._ids[row, 1].tobytes())

    def row_of(self, appearance_id: UUID) -> int | None:
        """Where an appearance is; None if it is not there, or rejected."""
        return self._rows.get(appearance_id.bytes)

    async def read_changed(
        self, owner_id: UUID, embedding_model: str, connection: BaseDBAsyncClient | None
    ) -> Changes:
        """What was written since the last time, or the first part of it if it is much."""
        position, epoch = self._position, self.epoch
        rows = await fetch_rows(
            _READ_CHANGED, owner_id, embedding_model, *position, epoch, _PAGE_ROWS, connection=connection
        )
        return Changes(position, epoch, rows)

    async def take(self, changes: Changes, *, is_writer: bool) -> bool:
        """Take over what was read; the lock must be held. False: there is more to read."""
        if (changes.position, changes.epoch) != (self._position, self.epoch):
            return False  # somebody else was faster
        rows = changes.rows
        if not rows:
            self._clear(_NO_REGISTER)
            return True
        if rows[0]["register_epoch"] != self.epoch:
            self._clear(rows[0]["register_epoch"])
            return False
        changed = [row for row in rows if row["id"] is not None]
        if len(changed) > _FEW_ROWS:
            await run_blocking(self._apply, changed)
        elif changed:
            self._apply(changed)
        if len(changed) == _PAGE_ROWS:
            return False
        seen = rows[0]["register_version"] - (1 if is_writer else 0)
        self._position = max(self._position, (seen, _LAST_ID))
        return True

    def _clear(self, epoch: int) -> None:
        self.epoch = epoch
        self.count = 0
        self._position = (-1, _FIRST_ID)
        self._rows.clear()
        self._embeddings = np.empty((0, 0), np.float32)
        self._ids = np.empty((0, 2, _ID_BYTES), np.uint8)

    def _apply(self, changed: Sequence[dict[str, Any]]) -> None:
        """Rows of the database, each appearance once; those without a person are rejected ones."""
        kept = [row for row in changed if row["person_id"] is not None]
        for row in changed:
            if row["person_id"] is None:
                self._remove(stored_uuid(row["id"]).bytes)
        if kept:
            vectors = joined_embeddings([row["embedding"] for row in kept])
            ids = b"".join(stored_uuid(row[name]).bytes for row in kept for name in ("id", "person_id"))
            self._put(vectors, np.frombuffer(ids, np.uint8).reshape(len(kept), 2, _ID_BYTES))
        self._position = max((row["version"], stored_uuid(row["id"])) for row in changed)

    def _put(self, vectors: NDArray[np.float32], ids: NDArray[np.uint8]) -> None:
        self._grow(self.count + len(vectors), vectors.shape[1])
        places = []
        for key in (id_.tobytes() for id_ in ids[:, 0]):
            place = self._rows.setdefault(key, self.count)
            self.count = max(self.count, place + 1)
            places.append(place)
        self._embeddings[places] = vectors
        self._ids[places] = ids

    def _grow(self, count: int, dimensions: int) -> None:
        if count <= len(self._ids):
            return
        capacity = max(count, len(self._ids) * 5 // 4)
        embeddings = np.empty((capacity, dimensions), np.float32)
        ids = np.empty((capacity, 2, _ID_BYTES), np.uint8)
        embeddings[: self.count] = self.embeddings.reshape(self.count, dimensions)
        ids[: self.count] = self._ids[: self.count]
        self._embeddings, self._ids = embeddings, ids

    def _remove(self, key: bytes) -> None:
        row = self._rows.pop(key, None)
        if row is None:
            return
        self.count -= 1
        if row < self.count:
            self._embeddings[row] = self._embeddings[self.count]
            self._ids[row] = self._ids[self.count]
            self._rows[self._ids[row, 0].tobytes()] = row


class FaceCopies:
    """Copies of several accounts; those used least lately go when they take too much memory together.

    Args:
        max_bytes: Most memory of all; the one in use stays, however large.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._copies: OrderedDict[tuple[UUID, str], FaceCopy] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """Memory that all take."""
        return sum(copy.size_bytes for copy in self._copies.values())

    @asynccontextmanager
    async def fresh(
        self,
        owner_id: UUID,
        embedding_model: str,
        *,
        connection: BaseDBAsyncClient | None = None,
        is_writer: bool = False,
    ) -> AsyncIterator[FaceCopy]:
        """The copy of an account as the database has it, nobody else's until the block ends.

        Args:
            owner_id: Whose faces.
            embedding_model: Only those that it described.
            connection: The transaction to read in; None outside of transactions.
            is_writer: Whether this transaction has counted the register's version up. Ask right after that,
                before the epoch is counted up and before any row is written: what the transaction writes is
                read the next time, or never if it is rolled back.
        """
        key = (owner_id, embedding_model)
        copy = self._copies.setdefault(key, FaceCopy())
        self._copies.move_to_end(key)
        # A transaction must not wait for a reader that waits, on SQLite, for the transaction.
        async with copy.reading if connection is None else nullcontext():
            while True:
                changes = await copy.read_changed(owner_id, embedding_model, connection)
                async with copy.lock:
                    is_fresh = await copy.take(changes, is_writer=is_writer)
                    self._make_room(key)
                    if is_fresh:
                        yield copy
                        return

    def _make_room(self, used: tuple[UUID, str]) -> None:
        for key in [key for key in self._copies if key != used]:
            if self.size_bytes <= self._max_bytes:
                return
            del self._copies[key]


_copies_of: weakref.WeakKeyDictionary[Any, FaceCopies] = weakref.WeakKeyDictionary()


def shared_copies() -> FaceCopies:
    """The copies that this process keeps of the connected database."""
    return _copies_of.setdefault(require_context(), FaceCopies())
