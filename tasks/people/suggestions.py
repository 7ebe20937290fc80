"""Which people may be the same one, by the model that this installation describes faces with."""

from collections.abc import Sequence
from uuid import UUID

from domain.people.suggestions import Suggestion, same_person_suggestions
from ml_models.errors import MLModelError
from settings import Settings
from tasks.face_embedding import face_embedding_model


async def suggest_same_people(settings: Settings, owner_id: UUID, first: int) -> Sequence[Suggestion]:
    """The most similar pairs of people that nobody has answered yet; none while faces are not matched."""
    if not settings.face_matching:
        return []
    try:
        spec = face_embedding_model(settings)
    except MLModelError:
        return []
    least = spec.same_similarity or 1.0
    return await same_person_suggestions(owner_id, first, embedding_model=spec.name, least_similarity=least)
