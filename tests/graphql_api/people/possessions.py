"""People for accounts that have one of everything."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID, uuid4

import numpy as np
from tortoise.expressions import F

from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.people.models import (
    Appearance,
    ChangedPerson,
    ChangeKind,
    FaceRegister,
    Person,
    PersonChange,
    Sex,
)
from domain.people.names import name_key
from domain.videos.models import Video

EMBEDDING_MODEL = "sface"
_DIMENSIONS = 128
_DOUBTFUL = 0.49
"""A similarity at which people are asked."""


class People(NamedTuple):
    """What somebody has in their register."""

    first: Person
    second: Person
    appearance: Appearance
    change: PersonChange


async def give_people(owner: User, video: Video, analyses: Sequence[Analysis], word: str) -> People:
    """Two people who may be one, seen by an analysis each, and two changes of the first."""
    await FaceRegister.get_or_create(id=owner.id, owner_id=owner.id)
    await FaceRegister.filter(id=owner.id).update(version=F("version") + 1)
    first = await give_person(owner, f"{word} person", birth_date=date(1990, 2, 28), sex=Sex.FEMALE)
    second = await give_person(owner, f"{word} double", is_held=True)
    appearance = await give_appearance(first, video, analyses[0], 1, is_pinned=True)
    await give_appearance(second, video, analyses[1], 2, similarity_to_others=_DOUBTFUL)
    number = 2 * await PersonChange.filter(owner_id=owner.id).count()
    edited = await _change(first, number, word)
    change = await _change(first, number + 1, word, undoes_id=edited.id)
    await PersonChange.filter(id=edited.id).update(undone_by_id=change.id)
    return People(first, second, appearance, change)


async def give_person(owner: User, full_name: str | None = None, **more: object) -> Person:
    """A person of whom no appearance is known yet."""
    key = None if full_name is None else name_key(full_name)
    values = {"is_held": full_name is not None} | more
    return await Person.create(id=uuid4(), owner_id=owner.id, full_name=full_name, name_key=key, **values)


async def give_appearance(
    person: Person,
    video: Video,
    analysis: Analysis,
    track_id: int,
    *,
    seconds: tuple[float, float] = (0.5, 1.5),
    similarity_to_others: float = 1.0,
    **more: object,
) -> Appearance:
    """An appearance of a person, which is shown of them."""
    embedding = np.zeros(_DIMENSIONS, np.float32)
    embedding[:2] = similarity_to_others, np.sqrt(1 - similarity_to_others**2)
    appearance = await Appearance.create(
        id=uuid4(), owner_id=person.owner_id, video_id=video.id, analysis_id=analysis.id, track_id=track_id,
        person_id=person.id, is_final=True, first_seconds=seconds[0], last_seconds=seconds[1], similarity=0.75,
        quality=0.5, embedding=embedding.astype("<f4").tobytes(), embedding_model=EMBEDDING_MODEL,
        places=[[seconds[0], 1.0, 2.0, 30.0, 40.0]], beside=[], version=1, **more,
    )  # fmt: skip
    person.cover_appearance_id = appearance.id
    person.appearance_count += 1
    await person.save()
    return appearance


async def _change(person: Person, number: int, word: str, undoes_id: UUID | None = None) -> PersonChange:
    cell = {
        "table": "people",
        "id": str(person.id),
        "field": "full_name",
        "before": f"{word} before",
        "after": f"{word} person",
    }
    change = await PersonChange.create(
        id=uuid4(), owner_id=person.owner_id, number=number, changed_by_id=person.owner_id, cells=[cell],
        kind=ChangeKind.EDITED if undoes_id is None else ChangeKind.UNDONE, undoes_id=undoes_id,
    )  # fmt: skip
    await ChangedPerson.create(change_id=change.id, person_id=person.id)
    return change
