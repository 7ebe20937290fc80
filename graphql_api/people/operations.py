"""Reading and correcting the register."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from functools import partial
from uuid import UUID

import strawberry

from domain.errors import ConflictError, InvalidError
from domain.people import corrections
from domain.people.corrections import Correction
from domain.people.lists import filter_people
from domain.people.models import Sex
from domain.people.name_order import NAME_KEY
from domain.people.personal_data import PersonalData
from domain.people.undoing import ChangedSinceError
from graphql_api.context import Info
from graphql_api.errors import Payload
from graphql_api.execution.selection import wants_of
from graphql_api.fields import field, mutation
from graphql_api.people.appearances import appearances_of_people
from graphql_api.people.changes import PersonChange, load_change
from graphql_api.people.persons import PERSON_ROWS, Person, finish_people, load_person, videos_of_people
from graphql_api.people.suggestions import SuggestionQueries
from graphql_api.relay import Connection, find_uuid, global_id, require_uuid
from graphql_api.row_pages import paginate_rows

_MOST_APPEARANCES = 1_000
"""Named in one request."""


@strawberry.enum(description="The order of a list of people.")
class PersonOrder(Enum):
    NEWEST = strawberry.enum_value("NEWEST", description="Last taken up first.")
    OLDEST = strawberry.enum_value("OLDEST", description="First taken up first.")
    NAME = strawberry.enum_value(
        "NAME", description="By name, whatever the case, by code points; the unnamed last."
    )
    MOST_SEEN = strawberry.enum_value("MOST_SEEN", description="Those with the most appearances first.")
    CHANGED = strawberry.enum_value("CHANGED", description="Last changed first.")


_ORDER_COLUMNS = {
    PersonOrder.NEWEST: "-created_at",
    PersonOrder.OLDEST: "created_at",
    PersonOrder.NAME: "name_key",
    PersonOrder.MOST_SEEN: "-appearance_count",
    PersonOrder.CHANGED: "-updated_at",
}


@strawberry.input(description="Which people; what is absent does not matter.")
class PersonFilter:
    name: str | None = strawberry.field(
        default=None, description="Only those with this in their names, in any case of any script."
    )
    video_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only those who are seen in this video."
    )
    seen_from: datetime | None = strawberry.field(
        default=None,
        description="Only those seen in a video that was filmed at this moment or later; where the file does "
        "not say when, the time of its upload counts.",
    )
    seen_to: datetime | None = strawberry.field(
        default=None, description="Only those seen in a video that was filmed before this moment, likewise."
    )
    unnamed: bool | None = strawberry.field(
        default=None, description="True: only those without a name; false: only those with one."
    )


@strawberry.input(description="Changes to a person's data: what is absent stays, null clears.")
class UpdatePersonInput:
    id: strawberry.ID = strawberry.field(description="The person.")
    full_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "1 to 5 words of letters of any script, hyphens, apostrophes and middle dots; "
            "up to 200 characters."
        ),
    )
    birth_date: date | None = strawberry.field(
        default=strawberry.UNSET, description="A day from 1900-01-01 to today."
    )
    sex: Sex | None = strawberry.field(default=strawberry.UNSET, description="The sex.")


@strawberry.type(description="The result of a correction of the register.")
class PersonPayload(Payload):
    person: Person | None = strawberry.field(
        default=None, description="The person as it is now; null if it did not work, or the person is gone."
    )
    change: PersonChange | None = strawberry.field(
        default=None,
        description="What was changed, for `undoPersonChange`; null if nothing was.",
    )


@strawberry.type
class PeopleQueries(SuggestionQueries):
    @field("One of your people; null if you have none with this id.", signed_in=True)
    async def person(self, info: Info, id: strawberry.ID) -> Person | None:
        key = find_uuid(id, "Person")
        return None if key is None else await load_person(info.context, key, wants_of(info))

    @field("The people seen in your videos.", signed_in=True)
    async def people(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        filter: PersonFilter | None = None,
        order_by: PersonOrder | None = None,
    ) -> Connection[Person]:
        wanted = filter or PersonFilter()
        owner_id = info.context.user_id
        video_id = wanted.video_id
        rows = filter_people(
            PERSON_ROWS.rows.of_owner(owner_id),
            owner_id,
            name=wanted.name,
            video_id=None if video_id is None else require_uuid(video_id, "Video", "filter", "video_id"),
            seen_from=wanted.seen_from,
            seen_to=wanted.seen_to,
            unnamed=wanted.unnamed,
        )
        order, wants = order_by or PersonOrder.NEWEST, wants_of(info)
        return await paginate_rows(
            info,
            rows,
            PERSON_ROWS,
            first=first,
            after=after,
            order_by=_ORDER_COLUMNS[order],
            order_expression=NAME_KEY if order is PersonOrder.NAME else None,
            finish=partial(finish_people, info.context, wants),
            readers={
                "appearances": partial(appearances_of_people, info.context, wants),
                "videos": videos_of_people,
            },
        )


@strawberry.type
class PeopleMutations:
    @mutation("Say who somebody is: name, birth date, sex.")
    async def update_person(self, info: Info, input: UpdatePersonInput) -> PersonPayload:
        given = {"full_name": input.full_name, "birth_date": input.birth_date, "sex": input.sex}
        data: PersonalData = {key: value for key, value in given.items() if value is not strawberry.UNSET}  # type: ignore[assignment]
        person_id = require_uuid(input.id, "Person", "id")
        return await _payload(info, await corrections.update_person(*_who(info), person_id, data))

    @mutation("Say that several people are one: the one of `into`, which gets the appearances of all.")
    async def merge_people(self, info: Info, ids: list[strawberry.ID], into: strawberry.ID) -> PersonPayload:
        keys = [require_uuid(one, "Person", "ids", place) for place, one in enumerate(ids)]
        into_id = require_uuid(into, "Person", "into")
        return await _payload(info, await corrections.merge_people(*_who(info), keys, into_id))

    @mutation("Say that some appearances are of somebody else: they become a new person, the payload's.")
    async def split_person(
        self, info: Info, id: strawberry.ID, appearance_ids: list[strawberry.ID]
    ) -> PersonPayload:
        keys = _appearance_keys(appearance_ids)
        person_id = require_uuid(id, "Person", "id")
        return await _payload(info, await corrections.split_person(*_who(info), person_id, keys))

    @mutation("Say whose an appearance is; this also takes back that it is no face.")
    async def move_appearance(self, info: Info, id: strawberry.ID, person_id: strawberry.ID) -> PersonPayload:
        appearance_key = require_uuid(id, "Appearance", "id")
        person_key = require_uuid(person_id, "Person", "person_id")
        done = await corrections.move_appearance(*_who(info), appearance_key, person_key)
        return await _payload(info, done)

    @mutation("Say that an appearance is no face; the payload's person is whose it was taken for.")
    async def reject_appearance(self, info: Info, id: strawberry.ID) -> PersonPayload:
        key = require_uuid(id, "Appearance", "id")
        return await _payload(info, await corrections.reject_appearance(*_who(info), key))

    @mutation("Choose the appearance whose picture is shown for a person.")
    async def choose_profile_photo(
        self, info: Info, person_id: strawberry.ID, appearance_id: strawberry.ID
    ) -> PersonPayload:
        person_key = require_uuid(person_id, "Person", "person_id")
        appearance_key = require_uuid(appearance_id, "Appearance", "appearance_id")
        done = await corrections.choose_profile_photo(*_who(info), person_key, appearance_key)
        return await _payload(info, done)

    @mutation(
        "Answer whether two people are the same one: they become one, the first, or are never joined or "
        "suggested again."
    )
    async def answer_same_person(
        self, info: Info, first_id: strawberry.ID, second_id: strawberry.ID, is_same: bool
    ) -> PersonPayload:
        first_key = require_uuid(first_id, "Person", "first_id")
        second_key = require_uuid(second_id, "Person", "second_id")
        done = await corrections.answer_same_person(*_who(info), first_key, second_key, is_same=is_same)
        return await _payload(info, done)

    @mutation(
        "Undo a change: everything is as before it. This is a change too, which can be undone. CONFLICT if a "
        "later change must be undone first."
    )
    async def undo_person_change(self, info: Info, change_id: strawberry.ID) -> PersonPayload:
        key = require_uuid(change_id, "PersonChange", "change_id")
        try:
            done = await corrections.undo_person_change(*_who(info), key)
        except ChangedSinceError as error:
            later = global_id("PersonChange", error.change_id)
            raise ConflictError(f"{error.message} Its id is {later}.", error.path) from error
        return await _payload(info, done)


def _who(info: Info) -> tuple[UUID, UUID]:
    """Whose register it is, and who changes it."""
    return info.context.user_id, info.context.user_id


def _appearance_keys(ids: Sequence[strawberry.ID]) -> list[UUID]:
    if len(ids) > _MOST_APPEARANCES:
        raise InvalidError(
            f"At most {_MOST_APPEARANCES} appearances may be named at once.", ("appearance_ids",)
        )
    return [require_uuid(one, "Appearance", "appearance_ids", place) for place, one in enumerate(ids)]


async def _payload(info: Info, done: Correction) -> PersonPayload:
    context, wants = info.context, wants_of(info)
    person = None if done.person is None else await load_person(context, done.person.id, wants)
    change = None
    if done.change_id is not None and wants("change"):
        change = await load_change(context, done.change_id)
    return PersonPayload(person=person, change=change)
