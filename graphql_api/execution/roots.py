"""Queries of one field, whose resolver is called without graphql-core's executor around it.

What graphql-core does for such a query is the same every time but for the variables, the resolver, and the
object it gives. The executor notes it when it first does it. At anything unusual that the resolver gives or
raises, an executor takes over with just that, so that the errors are graphql-core's own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    VariableNode,
    get_nullable_type,
    is_object_type,
)
from graphql.execution import ExecutionResult
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path
from graphql.type import is_non_null_type

from graphql_api.execution.plans import find_plan
from graphql_api.execution.resolvers import is_short
from graphql_api.execution.selection import RootInfo
from graphql_api.execution.shapes import Convert, object_shape

if TYPE_CHECKING:
    from graphql_api.execution.executor import CompilingExecutor

TakeOver = Callable[["RootPlan", Awaitable[Any]], Awaitable[ExecutionResult]]
"""Makes the result of what the resolver gives or raises."""

_CONSTANTS = (str, int, float, bool, Enum, type(None))


@dataclass(frozen=True, eq=False)
class RootPlan:
    """How to execute a query of one field."""

    name: str
    """The response name."""
    field: GraphQLField
    parent: GraphQLObjectType
    fields: FieldDetailsList
    convert: Convert
    """Makes the result of what the resolver gives; raises if that is not plain."""
    arguments: Mapping[str, Any] | None
    """The arguments, if they are the same each time."""
    arguments_of: Callable[[VariableValues], Mapping[str, Any]]
    info_of: Callable[..., RootInfo]

    async def execute(
        self, root_value: Any, context: Any, variables: VariableValues, extensions: Any, take_over: TakeOver
    ) -> ExecutionResult:
        """The result."""
        resolve: Any = self.field.resolve
        try:
            given = self.arguments_of(variables) if self.arguments is None else self.arguments
            value = await resolve(
                root_value, self.info_of(root_value, variables, context, extensions), **given
            )
        except Exception as error:
            return await take_over(self, _raising(error))
        try:
            result = self.convert(value)
        except Exception:
            # Nothing was done but to read attributes.
            return await take_over(self, _giving(value))
        return ExecutionResult({self.name: result}, None)


def make_root_plan(
    executor: "CompilingExecutor", parent: GraphQLObjectType, groups: GroupedFieldSet
) -> RootPlan | None:
    """The plan for these root fields; None if graphql-core has to execute them."""
    plans = executor.plans
    if plans is None or len(groups) != 1 or not executor.error_propagation:
        return None
    name, fields = next(iter(groups.items()))
    node = fields[0].node
    field = executor.schema.get_field(parent, node.name.value)
    if field is None or not is_short(field.resolve):
        return None
    if any(details.fragment_variable_values is not None for details in fields):
        return None
    kind = get_nullable_type(field.type)
    plan = find_plan(plans, executor, kind, fields) if is_object_type(kind) else None
    if plan is None or plan.rest:
        return None
    known_plan = plan
    hide_suggestions, is_awaitable = executor.hide_suggestions, executor.is_awaitable
    nodes, path = [details.node for details in fields], Path(None, name, parent.name)
    before = (
        node.name.value,
        nodes,
        field.type,
        parent,
        path,
        executor.schema,
        executor.fragment_definitions,
    )
    operation = executor.operation

    def arguments_of(variables: VariableValues) -> Mapping[str, Any]:
        return get_argument_values(field, node, variables, None, hide_suggestions)

    def info_of(root_value: Any, variables: VariableValues, context: Any, extensions: Any) -> RootInfo:
        after = (root_value, operation, variables.coerced, context, is_awaitable, None, None, extensions)
        info: RootInfo = tuple.__new__(RootInfo, (*before, *after))
        info.known_plan = known_plan
        info.known_variables = variables
        return info

    try:
        arguments = arguments_of(executor.variable_values)
    except GraphQLError:
        return None
    return RootPlan(
        name,
        field,
        parent,
        fields,
        convert=object_shape(plan, not is_non_null_type(field.type)).convert,
        arguments=arguments if _are_constant(node, arguments) else None,
        arguments_of=arguments_of,
        info_of=info_of,
    )


def _are_constant(node: FieldNode, values: Mapping[str, Any]) -> bool:
    # Variables inside of lists and objects make lists and objects, which are not kept either.
    has_variable = any(isinstance(argument.value, VariableNode) for argument in node.arguments or ())
    return not has_variable and all(isinstance(value, _CONSTANTS) for value in values.values())


async def _raising(error: Exception) -> Any:
    raise error


async def _giving(value: Any) -> Any:
    return value
