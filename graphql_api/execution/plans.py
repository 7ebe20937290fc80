"""How to build the results of a document's selections, remembered from request to request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLOutputType, get_nullable_type
from graphql.execution.collect_fields import FieldDetailsList, collect_subfields
from graphql.type import is_leaf_type, is_list_type, is_non_null_type, is_object_type

from graphql_api.execution.attributes import AHEAD_PREFIX, attribute_of, can_build, read_ahead_attribute
from graphql_api.execution.builders import PlainField, make_builder
from graphql_api.execution.pages import ObjectsBuilder, PageBuilder
from graphql_api.execution.shapes import Convert, Shape, leaf_shape, list_shape, object_shape

if TYPE_CHECKING:
    from graphql_api.execution.executor import CompilingExecutor
    from graphql_api.execution.roots import RootPlan

_MAX_TOKENS = 2_000
"""Longer documents are executed as ever: what making the functions takes must stay small."""
_MAX_PLANS = 64
_MAX_CONDITIONS = 8


@dataclass(frozen=True, eq=False)
class Plan:
    """How to execute the selection on objects of one type."""

    kind: GraphQLObjectType
    """The type."""
    fields: Mapping[str, PlainField | str | None]
    """Response name → an attribute and its shape; or a text that is the result; or None: see `rest`."""
    build: Convert
    """Makes the result of an object: whole, but for the fields in `rest`, which are None in it."""
    rest: Sequence[tuple[str, FieldDetailsList]]
    """Response names and nodes of the fields that graphql-core executes."""
    ahead: Sequence[tuple[str, FieldDetailsList]] = ()
    """Attributes that the list around the objects has to give, and the nodes of their fields."""

    def attributes(self) -> list[PlainField]:
        """The attributes that it reads."""
        return [field for field in self.fields.values() if isinstance(field, tuple)]


Plans = dict[tuple[Any, ...], Plan | None]
"""Type name and nodes of the field → the plan for what they select; None where there cannot be one."""


class DocumentPlans:
    """The plans of a document, for each combination of the variables that decide what is selected."""

    def __init__(self, condition_variables: tuple[str, ...], tokens: int) -> None:
        self.enabled = False
        """Set when the document is asked again: what is asked once is not worth a plan."""
        self._names = condition_variables
        self._is_short = tokens <= _MAX_TOKENS
        self._by_conditions: dict[tuple[Any, ...], Plans] = {}
        self._roots: dict[tuple[str | None, tuple[Any, ...]], RootPlan | None] = {}

    @property
    def has_roots(self) -> bool:
        """Whether there is a plan for a whole operation."""
        return any(self._roots.values())

    def root(self, operation_name: str | None, variables: dict[str, Any]) -> "RootPlan | None":
        """The plan for a whole operation under these variables, if there is one."""
        return self._roots.get((operation_name, self._conditions(variables)))

    def note_root(
        self, operation_name: str | None, variables: dict[str, Any], make: "Callable[[], RootPlan | None]"
    ) -> None:
        """Remember the plan for a whole operation; it is made once."""
        key = (operation_name, self._conditions(variables))
        if key not in self._roots and len(self._roots) < _MAX_CONDITIONS:
            self._roots[key] = make()

    def of(self, variables: dict[str, Any]) -> Plans | None:
        """The plans under these variables; None if there are to be none."""
        if not (self.enabled and self._is_short):
            return None
        conditions = self._conditions(variables)
        found = self._by_conditions.get(conditions)
        if found is None and len(self._by_conditions) < _MAX_CONDITIONS:
            found = self._by_conditions[conditions] = {}
        return found

    def _conditions(self, variables: dict[str, Any]) -> tuple[Any, ...]:
        return tuple([variables.get(name) for name in self._names])


def find_plan(
    plans: Plans,
    executor: "CompilingExecutor",
    parent: GraphQLObjectType,
    fields: FieldDetailsList,
    *,
    in_page: bool = False,
) -> Plan | None:
    """The plan for the selection that these fields make on objects of a type; made on first use.

    `in_page`: the objects are the nodes of a connection, which may have read ahead.
    """
    key: tuple[Any, ...] = (
        (parent.name, id(fields[0].node))
        if len(fields) == 1
        else (parent.name, *[id(details.node) for details in fields])
    )
    if key in plans:
        return plans[key]
    if len(plans) >= _MAX_PLANS:
        return None
    plans[key] = None
    plans[key] = plan = _make_plan(plans, executor, parent, fields, in_page=in_page)
    return plan


def _make_plan(
    plans: Plans,
    executor: "CompilingExecutor",
    parent: GraphQLObjectType,
    fields: FieldDetailsList,
    *,
    in_page: bool,
) -> Plan | None:
    if not can_build(parent):
        return None
    groups, deferred, _ = collect_subfields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        executor.operation,
        parent,
        fields,
        executor.hide_suggestions,
    )
    if deferred:
        return None
    known: dict[str, PlainField | str | None] = {}
    rest, ahead = [], []
    for name, group in groups.items():
        if any(details.fragment_variable_values is not None for details in group):
            return None
        known[name] = _plain_field(plans, executor, parent, group)
        if known[name] is None and in_page:
            known[name] = given = _given_field(plans, executor, parent, name, group)
            if given is not None:
                ahead.append((given[0], group))
        if known[name] is None:
            rest.append((name, group))
    if rest and ahead:
        # What the list gives is of no use where graphql-core has to look at each object.
        rest += [
            (name, groups[name])
            for name in groups
            if (name, groups[name]) not in rest and _is_given(known[name])
        ]
        known.update((name, None) for name, _ in rest)
        ahead = []
    return Plan(parent, known, make_builder(parent, known), rest, ahead)


def _given_field(
    plans: Plans, executor: "CompilingExecutor", parent: GraphQLObjectType, name: str, group: FieldDetailsList
) -> PlainField | None:
    """How to make the result of a field whose values a list of objects may have read ahead."""
    field = executor.schema.get_field(parent, group[0].node.name.value)
    attribute = None if field is None else read_ahead_attribute(field, name)
    if field is None or attribute is None:
        return None
    shape = _shape(plans, executor, field.type, group)
    return None if shape is None else (attribute, shape)


def _is_given(field: PlainField | str | None) -> bool:
    return isinstance(field, tuple) and field[0].startswith(AHEAD_PREFIX)


def _plain_field(
    plans: Plans, executor: "CompilingExecutor", parent: GraphQLObjectType, group: FieldDetailsList
) -> PlainField | str | None:
    """How to make the result of a field that asks nothing but attributes, as far down as is selected."""
    name = group[0].node.name.value
    if name == "__typename":
        return parent.name
    field = executor.schema.get_field(parent, name)
    attribute = None if field is None else attribute_of(field)
    if field is None or attribute is None:
        return None
    shape = _shape(plans, executor, field.type, group, in_page=_is_edge(parent) and name == "node")
    return None if shape is None else (attribute, shape)


def _is_edge(kind: GraphQLObjectType) -> bool:
    return kind.name.endswith("Edge")


def _shape(
    plans: Plans,
    executor: "CompilingExecutor",
    kind: GraphQLOutputType,
    group: FieldDetailsList,
    *,
    in_page: bool = False,
) -> Shape | None:
    nullable = not is_non_null_type(kind)
    inner = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(inner):
        item = _shape(plans, executor, inner.of_type, group)
        if item is None:
            return None
        is_of_objects = item.below is not None and is_object_type(get_nullable_type(inner.of_type))
        page = PageBuilder(item.below) if item.below is not None and is_of_objects else None
        return list_shape(item, nullable, None if page is None else page.results)
    if is_leaf_type(inner):
        return leaf_shape(inner, nullable)
    if is_object_type(inner):
        plan = find_plan(plans, executor, inner, group, in_page=in_page)
        if plan is None or plan.rest:
            return None
        return object_shape(plan, nullable, ObjectsBuilder(plan).results)
    return None
