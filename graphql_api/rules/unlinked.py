"""Validation that leaves nothing behind for the garbage collector.

graphql-core's `validate` does the same. But its visitors know their own methods, so each document that was
validated stays in memory until a collection; and it aborts by raising one exception that lives for ever,
whose traceback then keeps every document that was ever aborted.
"""

from collections.abc import Collection

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    ParallelVisitor,
    TypeInfo,
    TypeInfoVisitor,
    ValidationContext,
    Visitor,
    visit,
)
from graphql.validation import ASTValidationRule
from graphql.validation.validate import query_document_keys_to_validate
from graphql.validation.validation_context import (
    NodeWithSelectionSet,
    VariableUsage,
    VariableUsageVisitor,
)


class _AbortedError(Exception):
    """Raised when there are too many errors."""


class _UnlinkedContext(ValidationContext):
    def get_variable_usages(self, node: NodeWithSelectionSet) -> list[VariableUsage]:
        """As in graphql-core."""
        usages = self._variable_usages.get(node)
        if usages is None:
            fragment = node if isinstance(node, FragmentDefinitionNode) else None
            visitor = VariableUsageVisitor(self._type_info, fragment)
            around = TypeInfoVisitor(self._type_info, visitor)
            visit(node, around)
            usages = self._variable_usages[node] = visitor.usages
            _unlink(visitor, around)
        return usages


def validate_unlinked(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: Collection[type[ASTValidationRule]],
    *,
    max_errors: int,
    hide_suggestions: bool,
) -> list[GraphQLError]:
    """What graphql-core's `validate` returns."""
    errors: list[GraphQLError] = []

    def on_error(error: GraphQLError) -> None:
        if len(errors) >= max_errors:
            raise _AbortedError
        errors.append(error)

    type_info = TypeInfo(schema)
    context = _UnlinkedContext(schema, document, type_info, on_error, hide_suggestions)
    visitors = [rule(context) for rule in rules]
    parallel = ParallelVisitor(visitors)
    around = TypeInfoVisitor(type_info, parallel)
    try:
        visit(document, around, query_document_keys_to_validate)
    except _AbortedError:
        errors.append(GraphQLError("Too many validation errors, error limit reached. Validation aborted."))
    _unlink(*visitors, parallel, around)
    for error in errors:
        _forget_frames(error)
        _forget_frames(error.original_error)
    return errors


def _forget_frames(error: BaseException | None) -> None:
    """Let an error, and those it came of, know no frames: these know the error."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _unlink(*visitors: Visitor) -> None:
    for visitor in visitors:
        visitor.enter_leave_map.clear()
