"""Which operation of a document is meant."""

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of this name; without a name, the only one.

    Raises:
        GraphQLError: There is none, or it is not clear which is meant.
    """
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None:
        if len(operations) > 1:
            raise GraphQLError("Must provide operation name if query contains multiple operations.")
        if not operations:
            raise GraphQLError("Must provide an operation.")
        return operations[0]
    for operation in operations:
        if operation.name is not None and operation.name.value == name:
            return operation
    raise GraphQLError(f'Unknown operation named "{name[:100]}".')
