"""People, and what is read with them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain.pages import Rows, read_all
from domain.people import models
from domain.people.lists import SEEN_IN, people_of_tracks, read_faces
from domain.people.models import Sex
from domain.people.name_order import NAME_KEY
from domain.people.presence import read_presence
from domain.sql import StoredId, stored_uuid
from graphql_api.context import Context, Info
from graphql_api.execution.selection import Wants, everything, wants_of
from graphql_api.fields import field
from graphql_api.people.crops import crop_urls
from graphql_api.people.presence import Presence
from graphql_api.relay import Connection, Node, find_uuid, id_of
from graphql_api.row_pages import Values, paginate_rows_of, replaced
from graphql_api.rows import Computed, Names, RowType, moment_of
from graphql_api.videos import VIDEO_ROWS, Video

if TYPE_CHECKING:
    from graphql_api.people.appearances import Appearance
    from graphql_api.people.changes import PersonChange

strawberry.enum(Sex, description="The sex of a person.")

LazyAppearance = Annotated["Appearance", strawberry.lazy("graphql_api.people.appearances")]
LazyChange = Annotated["PersonChange", strawberry.lazy("graphql_api.people.changes")]

_NOBODY = UUID(int=0)


@strawberry.type(description="A human across videos.")
class Person(Node):
    key: strawberry.Private[UUID]
    full_name: str | None = strawberry.field(description="The name that somebody gave; null: unnamed.")
    birth_date: date | None = strawberry.field(description="The day of birth, where somebody gave it.")
    sex: Sex | None = strawberry.field(description="The sex, where somebody gave it.")
    crop_url: str = strawberry.field(
        description="A link to the picture of the face, a JPEG, signed and expiring: of the appearance that "
        "somebody chose, else of the best one. A drawn outline while there is no appearance."
    )
    appearance_count: int = strawberry.field(description="How often the person was seen.")
    created_at: datetime = strawberry.field(description="When the person was first taken into the register.")
    updated_at: datetime = strawberry.field(description="When something of the person last changed.")

    @field("When and where the person was seen: what was found last comes first.", read_ahead=True)
    async def appearances(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[LazyAppearance]:
        from graphql_api.people.appearances import appearances_of_people

        async def load(keys: list[UUID]) -> Sequence[Connection[LazyAppearance]]:
            return await appearances_of_people(info.context, wants_of(info), keys, first, after)

        return await info.context.loader(f"appearances {first} {after}", load).load(self.key)

    @field("The videos that show the person, newest first.", read_ahead=True)
    async def videos(self, info: Info, first: int | None = 20, after: str | None = None) -> Connection[Video]:
        async def load(keys: list[UUID]) -> Sequence[Connection[Video]]:
            return await videos_of_people(keys, first, after)

        return await info.context.loader(f"videos of people {first} {after}", load).load(self.key)

    @field("How long the person is seen in a video, over all analyses of it; null if you have no such video.")
    async def presence(self, info: Info, video_id: strawberry.ID) -> Presence | None:
        video_key = find_uuid(video_id, "Video")
        if video_key is None:
            return None

        async def load(keys: list[UUID]) -> Sequence[Presence | None]:
            found = await read_presence(info.context.user_id, video_key, keys)
            return [None if found is None else Presence.of(found[key]) for key in keys]

        return await info.context.loader(f"presence {video_key}", load).load(self.key)

    @field("What people changed of this person, newest first.")
    async def history(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[LazyChange]:
        from graphql_api.people.changes import changes_of_people

        async def load(keys: list[UUID]) -> Sequence[Connection[LazyChange]]:
            return await changes_of_people(keys, first, after)

        return await info.context.loader(f"history {first} {after}", load).load(self.key)


def _stored_date(stored: Any) -> date | None:
    return date.fromisoformat(stored) if isinstance(stored, str) else stored


PERSON_ROWS = RowType(
    Person,
    models.Person,
    {
        "stored_key": "id",
        "full_name": "full_name",
        "name_key": NAME_KEY,
        "stored_birth_date": "birth_date",
        "stored_sex": "sex",
        "appearance_count": "appearance_count",
        "stored_created_at": "created_at",
        "stored_updated_at": "updated_at",
        "crop_url": "cover_appearance_id",
    },
    id=id_of("Person", "stored_key"),
    key=Computed(("stored_key",), stored_uuid),
    birth_date=Computed(("stored_birth_date",), _stored_date),
    sex=Computed(("stored_sex",), lambda stored: None if stored is None else Sex(stored)),
    created_at=moment_of("stored_created_at"),
    updated_at=moment_of("stored_updated_at"),
)
"""How rows become people, once `finish_people` has made links of their crops."""


async def finish_people(context: Context, wants: Wants, rows: Values, names: Names) -> Values:
    """The same rows with links to crops, if those are asked for."""
    if "crop_url" not in names or not rows or not wants("cropUrl"):
        return rows
    place = names.index("crop_url")
    # Not by the same statement: it would look up the appearance of each row that it sorts.
    covers = [row[place] for row in rows]
    faces = await read_faces([cover for cover in covers if cover is not None])
    urls = await crop_urls(context, [None if cover is None else faces.get(cover) for cover in covers])
    return replaced(rows, place, urls)


async def load_people(
    context: Context, keys: Sequence[UUID], wants: Wants = everything
) -> list[Person | None]:
    """The viewer's people with these keys; None for those that are not there."""

    async def load(wanted: list[UUID]) -> Sequence[Person | None]:
        rows = await read_all(PERSON_ROWS.rows.with_ids(wanted).of_owner(context.user_id))
        finished = await finish_people(context, wants, rows, PERSON_ROWS.names)
        found = {person.key: person for person in map(PERSON_ROWS.of, finished)}
        return [found.get(key) for key in wanted]

    return await context.loader("person", load).load_many(list(keys))


async def load_person(context: Context, key: UUID, wants: Wants = everything) -> Person | None:
    """The node loader of `Person`: everybody sees only their own."""
    await context.require_viewer()
    return (await load_people(context, [key], wants))[0]


async def person_of_track(info: Info, analysis_key: UUID, track_id: int) -> Person | None:
    """Whose face a track is."""
    context = info.context

    async def load(tracks: list[tuple[UUID, int]]) -> Sequence[Person | None]:
        people = await people_of_tracks(context.user_id, tracks)
        keys = list(dict.fromkeys(people.values()))
        found = dict(zip(keys, await load_people(context, keys, wants_of(info)), strict=True))
        return [found.get(people.get(track, _NOBODY)) for track in tracks]

    return await context.loader("person of track", load).load((analysis_key, track_id))


_SEEN_VIDEO_ROWS = RowType(
    Video,
    VIDEO_ROWS.model,
    {"person_key": "seen.person_id"} | {name: f"videos.{column}" for name, column in VIDEO_ROWS.columns},
    **VIDEO_ROWS.computed,
)
"""How rows of videos with whom they show become videos."""


async def videos_of_people(
    keys: Sequence[StoredId], first: int | None = None, after: str | None = None
) -> list[Connection[Video]]:
    """The same page of the videos of each of these people of the viewer."""
    rows = Rows(VIDEO_ROWS.model, _SEEN_VIDEO_ROWS.columns, joined=SEEN_IN)
    return await paginate_rows_of(keys, "seen.person_id", rows, _SEEN_VIDEO_ROWS, first=first, after=after)
