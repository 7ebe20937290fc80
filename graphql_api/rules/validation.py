"""The steps from the text of a document to one that may be executed.

Each raises or returns errors that a client may see. `parse_query` and `validate_query` depend on the text
alone, so what they give can be kept; `check_cost` depends on the variables too.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graphql_api.rules.cost import QueryCost
from graphql_api.rules.introspection import check_introspection_alone
from graphql_api.rules.limits import QueryLimits, limit_error
from graphql_api.rules.measures import check_sizes
from graphql_api.rules.unlinked import validate_unlinked

MAX_VALIDATION_ERRORS = 20
"""Most errors that an answer lists."""

MAX_FIELD_COMPARISONS = 5_000
"""Most pairs of fields with the same name that validation compares: each takes about 10 µs."""

# graphql-core's own way to set it; 250,000 by default, which are seconds.
overlapping_fields_can_be_merged.MAX_FIELD_COMPARISONS = MAX_FIELD_COMPARISONS

_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
_LIMIT_ERRORS = {
    "Query is too complex to validate for overlapping fields": (
        f"The document has more than {MAX_FIELD_COMPARISONS} pairs of fields with the same name.",
        "max_field_comparisons",
    ),
    "Maximum introspection depth exceeded": (
        "Lists of the schema may be nested only twice in each other.",
        "max_introspection_depth",
    ),
}
"""How the messages begin, and what is said instead."""
_TOO_MANY_TOKENS = "Document contains more than"


def parse_query(text: str, limits: QueryLimits) -> DocumentNode:
    """Parse a document.

    Raises:
        GraphQLError: It is no document, or it is too long.
    """
    if len(text) > limits.max_query_bytes or len(text.encode()) > limits.max_query_bytes:
        raise limit_error(
            f"A GraphQL document may have at most {limits.max_query_bytes} bytes: "
            "send long values as variables.",
            "max_query_bytes",
        )
    try:
        return _without_links(parse(text, max_tokens=limits.max_query_tokens))
    except RecursionError:
        raise limit_error("The document is nested too deeply.", "max_query_depth") from None
    except GraphQLError as error:
        if _TOO_MANY_TOKENS in error.message:
            raise limit_error(
                f"A GraphQL document may have at most {limits.max_query_tokens} tokens.", "max_query_tokens"
            ) from None
        raise


def _without_links(document: DocumentNode) -> DocumentNode:
    """The document, whose tokens do not know each other any more.

    The parser alone needs that; it made a circle of every document, for the garbage collector to find.
    """
    token = None if document.loc is None else document.loc.start_token
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following
    return document


def validate_query(schema: GraphQLSchema, document: DocumentNode, limits: QueryLimits) -> list[GraphQLError]:
    """What is wrong with a document; its sizes are checked first, so that the rest cannot take long."""
    try:
        error = check_sizes(document, limits) or check_introspection_alone(document)
        if error is not None:
            return [error]
        rules = _RULES if limits.introspection else (*_RULES, NoSchemaIntrospectionCustomRule)
        errors = validate_unlinked(
            schema,
            document,
            rules,
            max_errors=MAX_VALIDATION_ERRORS,
            hide_suggestions=not limits.introspection,
        )
    except RecursionError:
        return [limit_error("The document is nested too deeply.", "max_query_depth")]
    # A value that a scalar cannot read is the client's mistake, whatever the scalar raised at it.
    return [_with_limit(error if error.original_error is None else _without_cause(error)) for error in errors]


def _with_limit(error: GraphQLError) -> GraphQLError:
    """The error, with the name of the limit if it is about one of graphql-core's own."""
    for start, (message, limit) in _LIMIT_ERRORS.items():
        if error.message.startswith(start):
            return limit_error(message, limit, error.nodes[0] if error.nodes else None)
    return error


def _without_cause(error: GraphQLError) -> GraphQLError:
    return GraphQLError(error.message, error.nodes, extensions=error.extensions)


def check_cost(
    cost: QueryCost, variables: Mapping[str, Any] | None, limits: QueryLimits
) -> tuple[int, GraphQLError | None]:
    """What an operation costs with these variables, and the error if that is too much."""
    requested = cost.of(variables)
    if requested <= limits.max_query_cost:
        return requested, None
    return requested, limit_error(
        f"The query costs {requested}; {limits.max_query_cost} are allowed. Ask for smaller pages.",
        "max_query_cost",
    )
