"""Sizes of a document with its fragments followed, each fragment measured once.

So a chain of fragments that spread the next one twice costs as many steps as it has fragments, though it
stands for two to the power of its length fields.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from graphql_api.rules.limits import (
    MAX_COLLECTED_FIELDS,
    MAX_DEFINITIONS,
    MAX_EXPANDED_FIELDS,
    QueryLimits,
    limit_error,
)

_INTROSPECTION = ("__schema", "__type")


@dataclass(frozen=True, slots=True)
class Measures:
    """How large a part of a document is when every fragment stands where it is spread."""

    depth: int = 0
    """Fields below each other; what is below `__schema` and `__type` has a limit of its own."""
    fields: int = 0
    aliases: int = 0
    directives: int = 0


class FragmentCycleError(Exception):
    """Raised when a fragment contains itself."""

    def __init__(self, spread: FragmentSpreadNode) -> None:
        super().__init__(f"The fragment {spread.name.value!r} contains itself.")
        self.spread = spread


def check_sizes(document: DocumentNode, limits: QueryLimits) -> GraphQLError | None:
    """What is wrong with the size of a document; None if nothing is.

    It needs no schema and is meant to come before validation, some rules of which take a time that grows with
    the expanded document, or with the square of it.
    """
    if len(document.definitions) > MAX_DEFINITIONS:
        return limit_error(
            f"A document may have {MAX_DEFINITIONS} operations and fragments.", "max_query_definitions"
        )
    measurer = _Measurer(document)
    try:
        found = [measurer.measured(definition) for definition in document.definitions]
    except FragmentCycleError as error:
        return GraphQLError(str(error), error.spread)
    operations = [
        size
        for size, definition in zip(found, document.definitions, strict=True)
        if isinstance(definition, OperationDefinitionNode)
    ]
    depth = max((size.depth for size in operations), default=0)
    checks = (
        (depth, limits.max_query_depth, "levels of fields", "max_query_depth"),
        (_sum(operations, "aliases"), limits.max_query_aliases, "aliases", "max_query_aliases"),
        (_sum(operations, "directives"), limits.max_query_directives, "directives", "max_query_directives"),
        (_sum(found, "fields"), MAX_EXPANDED_FIELDS, "fields", "max_query_fields"),
        (measurer.collected, MAX_COLLECTED_FIELDS, "selections in inline fragments", "max_query_fields"),
    )
    for asked, most, noun, limit in checks:
        if asked > most:
            return limit_error(
                f"The document has {_shown(asked)} {noun}, fragments followed; {most} are allowed.", limit
            )
    return None


class _Measurer:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measures | None] = {}
        """By the fragment's name; None while it is being measured."""
        self.collected = 0
        """Selections in all selection sets together, each counted again in those that it is inlined into."""

    def measured(self, definition: Node) -> Measures:
        """Those of an operation or a fragment; none for other definitions, which validation refuses."""
        if isinstance(definition, FragmentDefinitionNode):
            return self._of_fragment(definition)
        if isinstance(definition, OperationDefinitionNode):
            return self._of_operation(definition)
        return Measures()

    def _of_operation(self, operation: OperationDefinitionNode) -> Measures:
        size = self._of_selections(operation.selection_set)
        directives = len(operation.directives or ())
        for variable in operation.variable_definitions or ():
            directives += len(variable.directives or ())
        return Measures(size.depth, size.fields, size.aliases, size.directives + directives)

    def _of_fragment(self, fragment: FragmentDefinitionNode) -> Measures:
        name = fragment.name.value
        if (known := self._measured.get(name)) is not None:
            return known
        self._measured[name] = None
        size = self._of_selections(fragment.selection_set)
        size = Measures(
            size.depth, size.fields, size.aliases, size.directives + len(fragment.directives or ())
        )
        self._measured[name] = size
        return size

    def _of_spread(self, spread: FragmentSpreadNode) -> Measures:
        name = spread.name.value
        fragment = self._fragments.get(name)
        if fragment is None:
            return Measures()  # validation says that there is none
        if name in self._measured and self._measured[name] is None:
            raise FragmentCycleError(spread)
        return self._of_fragment(fragment)

    def _of_selections(self, selection_set: SelectionSetNode | None) -> Measures:
        return self._walk(selection_set)[0]

    def _walk(self, selection_set: SelectionSetNode | None) -> tuple[Measures, int]:
        """The measures of a selection set, and its fields together with those inlined into it."""
        depth = fields = aliases = directives = inlined = 0
        for node in selection_set.selections if selection_set is not None else ():
            if isinstance(node, FieldNode):
                size = self._of_selections(node.selection_set)
                below = 0 if node.name.value in _INTROSPECTION else size.depth
                depth = max(depth, 1 + below)
                fields += 1
                inlined += 1
                aliases += node.alias is not None
            else:
                size, inner = self._of_fragment_like(node)
                inlined += inner
                depth = max(depth, size.depth)
            fields += size.fields
            aliases += size.aliases
            directives += size.directives + len(node.directives or ())
        self.collected += inlined
        return Measures(depth, fields, aliases, directives), inlined

    def _of_fragment_like(self, node: SelectionNode) -> tuple[Measures, int]:
        if isinstance(node, FragmentSpreadNode):
            return self._of_spread(node), 1
        size, inlined = self._walk(getattr(node, "selection_set", None))
        return size, 1 + inlined


def _sum(sizes: Iterable[Measures], name: str) -> int:
    total: int = sum(getattr(size, name) for size in sizes)
    return total


def _shown(number: int) -> str:
    """The number, as far as people can read it."""
    return str(number) if number < 10**9 else "more than a thousand million"
