"""Which operations ask for the schema.

An answer about the schema is made of tens of thousands of small values at once, so it is made in a thread. An
operation that asks for data too could not be: asking for both is refused.
"""

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
)

_SCHEMA_FIELDS = {"__schema", "__type"}


def introspecting_operations(document: DocumentNode) -> frozenset[str | None]:
    """The names of the operations that ask for the schema."""
    return frozenset(
        None if operation.name is None else operation.name.value
        for operation in document.definitions
        if isinstance(operation, OperationDefinitionNode)
        and _root_fields(document, operation) & _SCHEMA_FIELDS
    )


def check_introspection_alone(document: DocumentNode) -> GraphQLError | None:
    """The error for a document with an operation that asks for the schema and for data."""
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            names = _root_fields(document, operation)
            if names & _SCHEMA_FIELDS and names - _SCHEMA_FIELDS - {"__typename"}:
                return GraphQLError("Ask for the schema in an operation of its own.", operation)
    return None


def _root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    names: set[str] = set()
    waiting: list[SelectionSetNode | None] = [operation.selection_set]
    while waiting:
        selection_set = waiting.pop()
        for node in selection_set.selections if selection_set is not None else ():
            if isinstance(node, FieldNode):
                names.add(node.name.value)
            elif isinstance(node, FragmentSpreadNode):
                waiting.append(fragments.pop(node.name.value, None))
            else:
                waiting.append(getattr(node, "selection_set", None))
    return names
