"""Subscriptions in the steps that a socket needs one by one.

`subscribe` of graphql-core makes the source stream and executes each event for one subscriber. Here the same
steps are taken apart, so that many subscribers can share the execution of an event.
"""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from graphql.execution import create_source_event_stream
from graphql.execution.execute import execute_subscription_event
from strawberry.types.execution import PreExecutionError
from strawberry.utils.await_maybe import await_maybe

from graphql_api.context import Context
from graphql_api.execution.documents import CheckedDocument, Mistakes
from graphql_api.execution.executor import CompilingExecutor
from graphql_api.execution.heavy_lane import caller_of
from graphql_api.execution.operations import find_operation
from graphql_api.execution.schema import ApiSchema
from graphql_api.http.requests import GraphQLRequest


class RefusedError(Exception):
    """Raised when an operation is not executed, or can go on no more; `errors` say why."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True)
class Prepared:
    """An operation that is parsed and valid."""

    schema: ApiSchema
    request: GraphQLRequest
    context: Context
    checked: CheckedDocument
    operation: OperationDefinitionNode

    @property
    def is_subscription(self) -> bool:
        """Whether it has a source stream."""
        return self.operation.operation is OperationType.SUBSCRIPTION

    @property
    def is_mutation(self) -> bool:
        """Whether it changes something."""
        return self.operation.operation is OperationType.MUTATION

    @property
    def operation_name(self) -> str | None:
        """The name of the operation in the document."""
        return None if self.operation.name is None else self.operation.name.value

    def refusal(self, *errors: Exception) -> RefusedError:
        """What the client gets to know of these errors."""
        return _refusal(self.schema, [_graphql_error(error) for error in errors])


class Renderer:
    """Executes a subscription for one event after the other.

    Args:
        schema: Presents the errors.
        executor: Holds the document, the variables and the context.
        extensions: What goes into the `extensions` of each result.
    """

    def __init__(
        self, schema: ApiSchema, executor: CompilingExecutor, extensions: dict[str, Any] | None
    ) -> None:
        self._schema = schema
        self._executor = executor
        # They refer to the executor, which is left to itself when the subscription ends.
        self._async_helpers, executor.async_helpers = executor.async_helpers, cast("Any", None)
        self._extensions = extensions

    async def render(self, value: object) -> str:
        """The result for an event, as JSON."""
        executor = self._executor.build_per_event_executor(value)
        # graphql-core would share this cache with all events. Its keys are ids of objects that are made anew
        # for each, so it would grow, and could one day answer for an object that is long gone.
        executor._relevant_sub_fields = {}
        executor.async_helpers = self._async_helpers
        result: Any = execute_subscription_event(executor)
        if executor.is_awaitable(result):
            result = await result
        if result.errors:
            self._schema.process_errors(result.errors)
        return _encoded(result.data, result.errors, self._extensions)


async def prepare(schema: ApiSchema, request: GraphQLRequest, context: Context) -> Prepared:
    """Parse and validate an operation, or find it among those that were before.

    Raises:
        RefusedError: The document is wrong, or passes a limit.
    """
    checked = await schema.documents.fetch(request.query, partial(caller_of, context))
    if isinstance(checked, Mistakes):
        raise _refusal(schema, list(checked.errors))
    try:
        operation = find_operation(checked.document, request.operation_name)
    except GraphQLError as error:
        raise _refusal(schema, [error]) from error
    return Prepared(schema, request, context, checked, operation)


async def execute(prepared: Prepared) -> str:
    """Execute a query or a mutation; its result as JSON.

    Raises:
        RefusedError: It passes a limit.
    """
    request = prepared.request
    result = await prepared.schema.execute(
        request.query,
        variable_values=request.variables,
        context_value=prepared.context,
        operation_name=request.operation_name,
        operation_extensions=request.extensions,
    )
    if isinstance(result, PreExecutionError):
        raise RefusedError([cast("dict[str, Any]", error.formatted) for error in result.errors or ()])
    return _encoded(result.data, result.errors, result.extensions)


async def open_stream(prepared: Prepared) -> tuple[AsyncIterable[Any], Renderer]:
    """The source of a subscription's events, and what executes them; permission is checked here.

    Raises:
        RefusedError: It passes a limit, the variables are wrong, or the resolver refuses.
    """
    schema, request = prepared.schema, prepared.request
    extensions, excess = schema.cost(prepared.checked, prepared.operation_name, request.variables)
    if excess is not None:
        raise prepared.refusal(excess)
    executor = CompilingExecutor.build(
        schema._schema,
        prepared.checked.document,
        context_value=prepared.context,
        raw_variable_values=request.variables,
        operation_name=prepared.operation_name,
        document_plans=prepared.checked.plans,
        operation_extensions=request.extensions,
        hide_suggestions=schema.hides_names,
    )
    if isinstance(executor, list):
        raise prepared.refusal(*executor)
    try:
        stream: Any = await await_maybe(create_source_event_stream(executor))
    except Exception as error:
        raise prepared.refusal(error) from error
    finally:
        renderer = Renderer(schema, cast("CompilingExecutor", executor), extensions)
    if isinstance(stream, ExecutionResult):
        raise prepared.refusal(*(stream.errors or ()))
    return stream, renderer


def _refusal(schema: ApiSchema, errors: list[GraphQLError]) -> RefusedError:
    schema.process_errors(errors)
    return RefusedError([cast("dict[str, Any]", error.formatted) for error in errors])


def _graphql_error(error: Exception) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


def _encoded(data: object, errors: list[GraphQLError] | None, extensions: dict[str, Any] | None) -> str:
    payload: dict[str, Any] = {}
    if data is not None or any(error.path for error in errors or ()):
        payload["data"] = data
    if errors:
        payload["errors"] = [error.formatted for error in errors]
    if extensions:
        payload["extensions"] = extensions
    return orjson.dumps(payload).decode()
