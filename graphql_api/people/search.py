"""Searching people by a photo."""

import strawberry
from strawberry.file_uploads import Upload

from domain.errors import InvalidError
from graphql_api.analyses.detections import BoundingBox
from graphql_api.context import Context, Info
from graphql_api.errors import Payload, user_error
from graphql_api.fields import counted_query
from graphql_api.people.appearances import Appearance, load_appearances
from graphql_api.people.persons import Person, load_people
from graphql_api.relay import page_size
from graphql_api.uploads.multipart import StreamedFile
from tasks.people.photo_search import PhotoFile, PhotoMatches, check_matching, too_large

_DEFAULT_COUNT = 20


@strawberry.type(description="A face in a photo.")
class PhotoFace:
    box: BoundingBox = strawberry.field(description="Where it is, in pixels of the photo, turned upright.")
    confidence: float = strawberry.field(description="How certain it is that this is a face, from 0 to 1.")


@strawberry.type(description="Somebody who is like the face in a photo.")
class PersonMatch:
    person: Person = strawberry.field(description="Who it is, named or not.")
    appearance: Appearance = strawberry.field(description="When they were seen most like it.")
    similarity: float = strawberry.field(
        description="How much the faces of photo and appearance are alike, from -1 to 1."
    )
    is_same: bool = strawberry.field(
        description="Whether that is as much as faces of one person are alike; those below are only the next "
        "ones."
    )


@strawberry.type(description="The result of searching people by a photo.")
class PeopleSearch(Payload):
    faces: list[PhotoFace] = strawberry.field(
        default_factory=list,
        description="The faces in the photo, the largest and most certain first.",
    )
    chosen_face: int | None = strawberry.field(
        default=None, description="Which of `faces` was searched for; null if none could be."
    )
    width: int | None = strawberry.field(default=None, description="Width of the photo, turned upright.")
    height: int | None = strawberry.field(default=None, description="Height of the photo, likewise.")
    matches: list[PersonMatch] = strawberry.field(
        default_factory=list, description="The people most like that face, the most similar first."
    )


@strawberry.type
class PeopleSearchQueries:
    @counted_query(
        "Search your people by a photo, over all faces ever seen, named or not. Send the photo by the "
        "GraphQL multipart request specification: JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP. `face` chooses "
        "another of its faces, by its number from 0. The photo is removed when this is answered."
    )
    async def search_people(
        self, info: Info, photo: Upload, first: int | None = _DEFAULT_COUNT, face: int | None = None
    ) -> PeopleSearch:
        context, state = info.context, info.context.state
        check_matching(state.settings)
        limit = page_size(first, _DEFAULT_COUNT)
        if not isinstance(photo, StreamedFile):
            raise InvalidError(
                "This is no file: send it by the GraphQL multipart request specification.", ("photo",)
            )
        if photo.too_large:
            raise too_large(state.settings)
        file = PhotoFile(photo.storage_key, photo.size_bytes)
        found = await state.photo_search.search(context.user_id, file, face=face, limit=limit)
        return await _shown(context, found)


async def _shown(context: Context, found: PhotoMatches) -> PeopleSearch:
    people = await load_people(context, [match.person_id for match in found.matches])
    appearances = await load_appearances(context, [match.appearance_id for match in found.matches])
    return PeopleSearch(
        user_errors=[] if found.refusal is None else [user_error(found.refusal)],
        faces=[
            PhotoFace(box=_box(*box), confidence=confidence)
            for box, confidence in zip(found.boxes, found.confidence, strict=True)
        ],
        chosen_face=found.chosen,
        width=found.width,
        height=found.height,
        matches=[
            PersonMatch(
                person=person,
                appearance=appearances[match.appearance_id],
                similarity=match.similarity,
                is_same=match.similarity >= found.same_similarity,
            )
            for match, person in zip(found.matches, people, strict=True)
            # They may have been deleted since they were found.
            if person is not None and match.appearance_id in appearances
        ],
    )


def _box(x1: float, y1: float, x2: float, y2: float) -> BoundingBox:
    return BoundingBox(x=x1, y=y1, width=x2 - x1, height=y2 - y1)
