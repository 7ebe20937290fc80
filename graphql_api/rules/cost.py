"""What a document costs: the fields of its answer, if every list in it were full.

Every field counts 1. Below a list, fields count as often as the list may have objects: the page size `first`
where the list, or the connection around it, takes one, and an assumed number where it takes none. Fields of
all fragments count, also of those that fit other types. Lists in the introspection count with their average
size in the schema, since every answer of it is made of the same lists.

A document is compiled once; what is left to do for each request is to put in the variables.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from graphql_api.relay import MAX_PAGE_SIZE
from graphql_api.rules.introspection_sizes import introspection_sizes

PAGE_ARGUMENT = "first"

ASSUMED_LIST_SIZE = 10
"""Objects in a list that takes no page size."""


@dataclass(frozen=True, slots=True)
class PageVariable:
    """A page size that a variable gives."""

    name: str
    if_absent: int
    if_null: int

    def size(self, variables: Mapping[str, Any]) -> int:
        """The size; the largest page for a value that is none."""
        value = variables.get(self.name, self.if_absent)
        return self.if_null if value is None else _page(value)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A number that depends on variables: a constant, and products of a size and another number."""

    constant: float
    products: tuple[tuple["float | PageVariable", "Amount"], ...]


Amount = float | Sum


@dataclass(frozen=True, slots=True)
class _Selections:
    """The cost of a selection set or a part of it."""

    once: Amount = 0
    each: Amount = 0
    """What counts for each object of the lists right in it, whose size the field around them gives."""


class QueryCost:
    """The cost of one operation of a document."""

    def __init__(self, amount: Amount) -> None:
        self._amount = amount

    @property
    def is_constant(self) -> bool:
        """Whether no variable changes it."""
        return not isinstance(self._amount, Sum)

    def of(self, variables: Mapping[str, Any] | None) -> int:
        """The cost with these variables."""
        return math.ceil(_evaluated(self._amount, variables or {}, {}))


def compile_cost(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None = None
) -> QueryCost:
    """The cost of an operation of a valid document; it takes a time linear in the document's size."""
    operation = next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (not operation_name or (node.name is not None and node.name.value == operation_name))
    )
    return QueryCost(_Compiler(schema, document, operation).compiled())


class _Compiler:
    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._introspection_sizes = introspection_sizes(schema)
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._of_fragments: dict[str, _Selections] = {}
        self._variable_defaults = {
            variable.variable.name.value: variable.default_value
            for variable in operation.variable_definitions or ()
        }

    def compiled(self) -> Amount:
        root = self._schema.get_root_type(self._operation.operation)
        return _with_lists(self._of_selections(self._operation.selection_set, root))

    def _of_selections(
        self, selection_set: SelectionSetNode | None, parent: GraphQLNamedType | None
    ) -> _Selections:
        parts = [
            self._of_node(node, parent)
            for node in (selection_set.selections if selection_set is not None else ())
        ]
        return _Selections(_total([part.once for part in parts]), _total([part.each for part in parts]))

    def _of_node(self, node: SelectionNode, parent: GraphQLNamedType | None) -> _Selections:
        if isinstance(node, FieldNode):
            return self._of_field(node, parent)
        if isinstance(node, FragmentSpreadNode):
            return self._of_fragment(node.name.value)
        if not isinstance(node, InlineFragmentNode):
            return _Selections()
        condition = node.type_condition
        on = parent if condition is None else self._schema.get_type(condition.name.value)
        return self._of_selections(node.selection_set, on)

    def _of_fragment(self, name: str) -> _Selections:
        if name not in self._of_fragments:
            fragment = self._fragments[name]
            on = self._schema.get_type(fragment.type_condition.name.value)
            self._of_fragments[name] = self._of_selections(fragment.selection_set, on)
        return self._of_fragments[name]

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Selections:
        field = self._schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
        if field is None or node.selection_set is None:
            return _Selections(once=1)
        below = self._of_selections(node.selection_set, get_named_type(field.type))
        page = self._page_size(node, field)
        if not is_list_type(get_nullable_type(field.type)):
            return _Selections(once=_total([1, _with_lists(below, page)]))
        size = self._introspection_sizes.get((getattr(parent, "name", ""), node.name.value), page)
        if size is None:
            return _Selections(once=1, each=_with_lists(below))
        return _Selections(once=_total([1, _times(size, _with_lists(below))]))

    def _page_size(self, node: FieldNode, field: GraphQLField) -> int | PageVariable | None:
        """The page size that the field is asked for; None if it has none."""
        argument = field.args.get(PAGE_ARGUMENT)
        if argument is None:
            return None
        default = _default_page(argument)
        values = [given.value for given in node.arguments or () if given.name.value == PAGE_ARGUMENT]
        value = values[0] if values else None
        if isinstance(value, VariableNode):
            given = self._variable_defaults.get(value.name.value)
            return PageVariable(value.name.value, _literal_page(given, default), default)
        return _literal_page(value, default)


def _with_lists(selections: _Selections, size: "float | PageVariable | None" = None) -> Amount:
    """The cost of selections whose lists have this size."""
    return _total([selections.once, _times(ASSUMED_LIST_SIZE if size is None else size, selections.each)])


def _total(amounts: Sequence[Amount]) -> Amount:
    constant = sum(amount for amount in amounts if not isinstance(amount, Sum))
    sums = [amount for amount in amounts if isinstance(amount, Sum)]
    if not sums:
        return constant
    if len(sums) == 1 and not constant:
        return sums[0]
    # The sums are referred to, not copied: a fragment that is spread often stays one object.
    return Sum(constant, tuple((1, amount) for amount in sums))


def _times(size: "float | PageVariable", amount: Amount) -> Amount:
    if not isinstance(amount, Sum):
        if not amount:
            return 0
        if not isinstance(size, PageVariable):
            return size * amount
    return Sum(0, ((size, amount),))


def _evaluated(amount: Amount, variables: Mapping[str, Any], known: dict[int, float]) -> float:
    if not isinstance(amount, Sum):
        return amount
    if id(amount) not in known:
        known[id(amount)] = amount.constant + sum(
            (size.size(variables) if isinstance(size, PageVariable) else size)
            * _evaluated(inner, variables, known)
            for size, inner in amount.products
        )
    return known[id(amount)]


def _page(value: object) -> int:
    return min(max(value, 0), MAX_PAGE_SIZE) if isinstance(value, int) else MAX_PAGE_SIZE


def _literal_page(value: ValueNode | None, default: int) -> int:
    if value is None or isinstance(value, NullValueNode):
        return default
    return _page(int(value.value)) if isinstance(value, IntValueNode) else MAX_PAGE_SIZE


def _default_page(argument: GraphQLArgument) -> int:
    """The size of a page that is asked for without one; the largest where only the resolver knows."""
    default = argument.default_value
    if argument.default is not None:
        literal = argument.default.literal
        default = int(literal.value) if isinstance(literal, IntValueNode) else argument.default.value
    return default if isinstance(default, int) else MAX_PAGE_SIZE
