"""What a resolver can know of the selection below its field before it reads anything."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, get_nullable_type, is_object_type
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo
from typing_extensions import override

from graphql_api.execution.plans import Plan, find_plan
from graphql_api.rows import CursorKind, Names, RowType

if TYPE_CHECKING:
    from graphql_api.execution.executor import CompilingExecutor


Wants = Callable[[str], bool]
"""Whether a field of this name is asked for."""


class PlannedInfo(_OperationContextAwareGraphQLResolveInfo):
    """Strawberry's information for a resolver, and the plan for what the field selects."""

    executor: "CompilingExecutor"
    field_details: FieldDetailsList

    def plan(self) -> Plan | None:
        """How the object that the field gives will be executed; None if by graphql-core."""
        kind = get_nullable_type(self.return_type)
        plans = self.executor.plans
        if plans is None or not is_object_type(kind):
            return None
        return find_plan(plans, self.executor, kind, self.field_details)

    def all_variables(self) -> VariableValues:
        """The variables of the operation."""
        return self.executor.variable_values


class RootInfo(PlannedInfo):
    """The same where the plan is known."""

    known_plan: Plan
    known_variables: VariableValues

    @override
    def plan(self) -> Plan | None:
        return self.known_plan

    @override
    def all_variables(self) -> VariableValues:
        return self.known_variables


def selected_columns(info: strawberry.Info[Any, Any], kind: RowType[Any], cursor_kind: CursorKind) -> Names:
    """The names of the columns that the selection on a connection of rows needs; of all if unsure."""
    raw = info._raw_info
    plan = raw.plan() if isinstance(raw, PlannedInfo) else None
    attributes = None if plan is None else _attributes(plan, cursor_kind)
    return kind.names if attributes is None else kind.columns_behind(attributes)


def wants_of(info: strawberry.Info[Any, Any]) -> Wants:
    """Whether the operation asks for a field of this name anywhere, of whatever type."""
    if info.context.is_websocket:
        return everything  # its loaders are those of other operations, too
    names = cache(partial(_field_names, info._raw_info))
    return lambda field_name: field_name in names()


def _field_names(raw: GraphQLResolveInfo[Any]) -> set[str]:
    """The names of all fields that the operation asks for; fragments followed."""
    waiting: list[Any] = [raw.operation.selection_set]
    names: set[str] = set()
    spread: set[str] = set()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FragmentSpreadNode):
                if node.name.value not in spread:
                    spread.add(node.name.value)
                    waiting.append(raw.fragments[node.name.value].selection_set)
                continue
            if isinstance(node, FieldNode):
                names.add(node.name.value)
            if node.selection_set is not None:
                waiting.append(node.selection_set)
    return names


def everything(_field_name: str) -> bool:
    """The `Wants` of whoever does not know."""
    return True


def _attributes(connection: Plan, cursor_kind: CursorKind) -> set[str] | None:
    """The attributes of nodes that are asked for; None if a resolver might ask for others."""
    found: set[str] = set()
    if any(attribute == "page_info" for attribute, _ in connection.attributes()):
        found.update(cursor_kind.attributes)
    for attribute, edge in connection.attributes():
        if attribute != "edges":
            continue
        if edge.below is None:
            return None
        for name, shape in edge.below.attributes():
            if name == "cursor":
                found.update(cursor_kind.attributes)
            elif shape.below is not None:
                found.update(one for one, _ in shape.below.attributes())
            else:
                return None
    # What a plan leaves over has a resolver, which is given the object of the connection, not of a row.
    return None if "edges" in _left_over(connection) else found


def _left_over(plan: Plan) -> set[str]:
    return {group[0].node.name.value for _, group in plan.rest}
