"""The limits on documents, and the error for a passed one."""

from dataclasses import dataclass
from typing import Self

from graphql import GraphQLError, Node

from domain.errors import ErrorCode
from settings import Settings

MAX_DEFINITIONS = 50
"""Most operations and fragments in a document: graphql-core compares fragments in pairs."""

MAX_EXPANDED_FIELDS = 5_000
"""Most fields in a document when every fragment stands where it is spread."""

MAX_COLLECTED_FIELDS = 1_500
"""Most selections that validation finds in the selection sets of a document, inline fragments followed: a
field below 100 inline fragments is found 100 times."""


@dataclass(frozen=True)
class QueryLimits:
    """The limits on a document; the names are those of the settings."""

    max_query_bytes: int = 32_768
    max_query_tokens: int = 2_000
    max_query_depth: int = 15
    max_query_aliases: int = 100
    max_query_directives: int = 100
    max_query_cost: int = 50_000
    introspection: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a server."""
        return cls(
            max_query_bytes=settings.max_query_bytes,
            max_query_tokens=settings.max_query_tokens,
            max_query_depth=settings.max_query_depth,
            max_query_aliases=settings.max_query_aliases,
            max_query_directives=settings.max_query_directives,
            max_query_cost=settings.max_query_cost,
            introspection=settings.introspection,
        )


def limit_error(message: str, limit: str, node: Node | None = None) -> GraphQLError:
    """The error for a document that passes a limit, which `extensions` names."""
    extensions = {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": limit}
    return GraphQLError(f"{message} (limit: {limit})", node, extensions=extensions)
