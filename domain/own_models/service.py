"""What may be done with detectors that administrators upload."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from domain.accounts.audit import AuditKind, Caller, Person, tell, write_entry
from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus
from domain.errors import ConflictError, LimitExceededError, NotFoundError
from domain.own_models.models import OwnModel
from domain.removals import note_removals, try_removals
from domain.sql import lock_rows
from storage.base import AbstractStorage

_UNFINISHED = [status for status in AnalysisStatus if not status.is_final]


@dataclass(frozen=True)
class NewOwnModel:
    """A checked detector whose file lies in storage."""

    name: str
    storage_key: str
    size_bytes: int
    sha256: str
    config: dict[str, Any]


async def find_own_model(name: str) -> OwnModel | None:
    """The uploaded detector of that name."""
    return await OwnModel.get_or_none(name=name)


async def list_own_models() -> list[OwnModel]:
    """Every uploaded detector, by name."""
    return await OwnModel.all().order_by("name")


async def check_room_for_own_model(max_own_models: int) -> None:
    """Raise LimitExceededError if there are as many as there may be."""
    if await OwnModel.all().count() >= max_own_models:
        raise LimitExceededError(
            f"There are {max_own_models} uploaded models, the most this server allows: delete one first.",
            limit="max_own_models",
        )


async def check_name_is_free(name: str) -> None:
    """Raise ConflictError if an uploaded detector has the name."""
    if await OwnModel.exists(name=name):
        raise _name_taken(name)


async def create_own_model(user: User, new: NewOwnModel, *, caller: Caller) -> OwnModel:
    """Register a detector; from now on everybody may use it.

    Raises:
        ConflictError: There is one of this name.
    """
    row = OwnModel(id=uuid4(), uploaded_by_id=user.id, **vars(new))
    try:
        async with in_transaction() as connection:
            await row.save(using_db=connection, force_create=True)
            entry = await write_entry(
                AuditKind.ML_MODEL_UPLOADED,
                Person.of(user),
                caller,
                subject_id=row.id,
                connection=connection,
            )
    except IntegrityError:
        raise _name_taken(new.name) from None
    tell(entry)
    return row


async def delete_own_model(storage: AbstractStorage, user: User, name: str, *, caller: Caller) -> None:
    """Forget a detector and remove its file. Results that it gave stay.

    Raises:
        NotFoundError: There is none of this name.
        ConflictError: Unfinished analyses use it.
    """
    row = await find_own_model(name)
    if row is None:
        raise NotFoundError("There is no uploaded model with this name.", ("name",))
    async with in_transaction() as connection:
        await lock_rows(connection, "own_models", [row.id])
        users = Analysis.filter(ml_model=name, status__in=_UNFINISHED).using_db(connection)
        if count := await users.count():
            raise ConflictError(
                f"{count} unfinished {'analysis uses' if count == 1 else 'analyses use'} this model: "
                "wait for them, or cancel them.",
                ("name",),
            )
        await OwnModel.filter(id=row.id).using_db(connection).delete()
        removals = await note_removals(connection, [row.storage_key])
        entry = await write_entry(
            AuditKind.ML_MODEL_DELETED,
            Person.of(user),
            caller,
            subject_id=row.id,
            connection=connection,
        )
    tell(entry)
    await try_removals(storage, removals)


def _name_taken(name: str) -> ConflictError:
    return ConflictError(
        f"There is a model {name} already: choose another name, or delete it first.", ("config", "name")
    )
