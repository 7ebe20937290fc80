"""What every index of faces is to the rest of Framewise."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PersonMatch:
    """A person who is like the face that was searched for.

    Attributes:
        person_id: The person, named or not.
        appearance_id: The one of their appearances that is most like it.
        similarity: Its cosine to the face.
    """

    person_id: UUID
    appearance_id: UUID
    similarity: float


class AbstractFaceIndex(ABC):
    """Finds who of an account is most like a face."""

    @abstractmethod
    async def search(
        self, owner_id: UUID, embedding_model: str, vector: NDArray[np.float32], limit: int
    ) -> list[PersonMatch]:
        """The persons most like a face, over all that was recorded before the call.

        Args:
            owner_id: Whose register is searched.
            embedding_model: What described the face; faces that others described are not compared.
            vector: The face, float32 (d,), of length 1.
            limit: Most persons.

        Returns:
            Each person once, by their best appearance; the most similar first, equals by appearance id.
            Rejected appearances do not count.
        """
