"""Links to the crops of faces."""

from collections.abc import Iterable

from domain.analyses.files import face_key
from domain.sql import StoredId
from graphql_api.context import Context
from graphql_api.http.links import links

Face = tuple[StoredId, int]
"""The analysis and the track."""

NO_FACE_URL = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Cpath fill='%23bbb' d='M0 0h8v8H0z'/%3E%3Cpath fill='%23eee' d='M4 1.2a1.6 1.6 0 0 1 0 3.6 1.6 1.6 0 "
    "0 1 0-3.6M1.2 8a2.8 2.6 0 0 1 5.6 0z'/%3E%3C/svg%3E"
)
"""The outline of a head, as a picture that needs no file: for people of whom nothing is left to show."""

# No name of anybody: links stand in logs.
_FILENAME = "face.jpg"


async def crop_urls(context: Context, faces: Iterable[Face | None]) -> list[str]:
    """A signed, expiring link to the crop of each face; a drawn one for None."""
    wanted = list(faces)
    keys = [face_key(*face) for face in wanted if face is not None]
    made = iter(await links(context, keys, content_type="image/jpeg", filename=_FILENAME))
    return [NO_FACE_URL if face is None else next(made) for face in wanted]
