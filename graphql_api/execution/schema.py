"""The schema class: Strawberry's, with documents that are checked once and errors made for clients."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError
from graphql import ExecutionResult as GraphQLExecutionResult
from graphql.execution import execute
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.exceptions import MissingQueryError
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.utils.await_maybe import await_maybe
from strawberry.utils.operation import get_first_operation
from typing_extensions import override

from graphql_api.errors import forget_frames, present
from graphql_api.execution.documents import CheckedDocument, DocumentCache, Mistakes
from graphql_api.execution.executor import CompilingExecutor
from graphql_api.execution.heavy_lane import HEAVY_COST, HeavyLane, caller_of
from graphql_api.execution.introspection import Introspection
from graphql_api.execution.operations import find_operation
from graphql_api.execution.resolvers import shorten_resolvers
from graphql_api.execution.roots import RootPlan
from graphql_api.execution.trusted_documents import TrustedDocuments, TrustedDocumentsError, document_text
from graphql_api.rules import QueryLimits, check_cost, compile_cost, parse_query, validate_query
from graphql_api.scheduling.pieces import Pieces

MAX_COERCION_ERRORS = 5
"""Most mistakes in the variables that are told; each shows the value that it is about, which may be large."""


@dataclass(eq=False, slots=True)
class AskedOperation:
    """What is executed: an operation of a document, and with what.

    Args:
        query: The document as it was sent.
        checked: The same, without mistakes.
        name: Of the operation; None if it has none.
        variables: As they were sent.
        context: Of the request.
        root_value: Of the operation.
        extensions: That were sent with it.
        pieces: If given, it is done in these.
    """

    query: str
    checked: CheckedDocument
    name: str | None
    variables: dict[str, Any] | None
    context: Any
    root_value: Any
    extensions: dict[str, Any] | None
    pieces: Pieces | None = None


class ApiSchema(strawberry.Schema):
    """A schema that executes documents within limits, and whose errors show nothing internal.

    It makes no use of Strawberry's extensions of schemas: running them takes longer than a small query.

    Args:
        limits: What documents may ask for; without, the defaults, and no cost is counted.
        trusted_documents: If given, no others are executed.
        options: As `strawberry.Schema` takes them.
    """

    def __init__(
        self,
        *,
        limits: QueryLimits | None = None,
        trusted_documents: TrustedDocuments | None = None,
        **options: Any,
    ) -> None:
        super().__init__(execution_context_class=CompilingExecutor, **options)
        shorten_resolvers(self)
        self.limits = limits or QueryLimits()
        self.trusted_documents = trusted_documents
        self.lane = HeavyLane()
        self.documents = DocumentCache(self._check, slices=self.lane.slices)
        self._introspection = Introspection(self._schema)
        self._counts_cost = limits is not None

    @property
    def hides_names(self) -> bool:
        """Whether errors suggest no names of the schema, since nobody may ask for it."""
        return not self.limits.introspection

    def check_trusted_documents(self) -> None:
        """Check that what this server executes is what it can execute.

        Raises:
            TrustedDocumentsError: One of the trusted documents has a mistake, or passes a limit.
        """
        named = {} if self.trusted_documents is None else self.trusted_documents.named
        for name, text in named.items():
            checked = self._check(text)
            if isinstance(checked, Mistakes):
                mistake = checked.errors[0].message
                raise TrustedDocumentsError(f"The trusted document {name!r} cannot be executed: {mistake}")

    @override
    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """The result of a query or a mutation.

        Raises:
            MissingQueryError: There is no document.
            CannotGetOperationTypeError: The document has no operation of this name.
            InvalidOperationTypeError: Operations of this type are not allowed.
        """
        checked = await self._checked(
            query, operation_name, allowed_operation_types, partial(caller_of, context_value)
        )
        if isinstance(checked, Mistakes):
            return self._refused(checked.errors)
        operation_name = operation_name or _first_name(checked.document)
        extensions, error = self.cost(checked, operation_name, variable_values)
        if error is not None:
            return self._refused([error])
        operation = AskedOperation(
            query or "",
            checked,
            operation_name,
            variable_values,
            context_value,
            root_value,
            operation_extensions,
        )
        if not _is_heavy(checked, operation_name, extensions):
            return await self._answered(operation, extensions)
        async with self.lane.place(context_value) as operation.pieces:
            return await self._answered(operation, extensions)

    async def _answered(
        self, operation: AskedOperation, result_extensions: dict[str, Any] | None
    ) -> ExecutionResult:
        try:
            if operation.name in operation.checked.introspecting:
                result = await self._introspection.answer(
                    operation.query, operation.checked.document, operation.name, operation.variables
                )
            else:
                result = await self._executed(operation)
        except Exception as error:
            return self._refused([GraphQLError(str(error), original_error=error)])
        return self._result(result, result_extensions)

    async def _executed(self, operation: AskedOperation) -> GraphQLExecutionResult:
        checked = operation.checked
        options: dict[str, Any] = {
            "root_value": operation.root_value,
            "context_value": operation.context,
            "operation_name": operation.name,
            "is_awaitable": optimized_is_awaitable,
            "document_plans": checked.plans,
            "operation_extensions": operation.extensions,
            "max_coercion_errors": MAX_COERCION_ERRORS,
            "hide_suggestions": self.hides_names,
            "pieces": operation.pieces,
        }
        coerced = self._coerced(operation)
        root = None if coerced is None else checked.plans.root(operation.name, coerced.coerced)
        if root is not None and coerced is not None:

            def take_over(root: RootPlan, outcome: Awaitable[Any]) -> Awaitable[GraphQLExecutionResult]:
                executor: Any = CompilingExecutor.build(
                    self._schema, checked.document, raw_variable_values=operation.variables, **options
                )
                taken: Awaitable[GraphQLExecutionResult] = executor.finish_root(root, outcome)
                return taken

            return await root.execute(
                operation.root_value, operation.context, coerced, operation.extensions, take_over
            )
        return await await_maybe(
            execute(
                self._schema,
                checked.document,
                variable_values=operation.variables,
                executor_class=CompilingExecutor,
                **options,
            )
        )

    def _coerced(self, operation: AskedOperation) -> VariableValues | None:
        """The variables of an operation for which there may be a plan; None if they are wrong."""
        checked = operation.checked
        if not checked.plans.has_roots:
            return None
        definitions = find_operation(checked.document, operation.name).variable_definitions
        if not definitions:
            return VariableValues({}, {})
        coerced = get_variable_values(
            self._schema,
            definitions,
            operation.variables or {},
            max_errors=MAX_COERCION_ERRORS,
            hide_suggestions=self.hides_names,
        )
        return None if isinstance(coerced, list) else coerced

    @override
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Present the errors, and log those that are our fault; Strawberry calls it before it sends them."""
        errors[:] = [present(error) for error in errors]
        for error in errors:
            forget_frames(error)

    def _check(self, source: str) -> CheckedDocument | Mistakes:
        try:
            document = parse_query(document_text(source, self.trusted_documents), self.limits)
        except GraphQLError as error:
            return Mistakes([error])
        errors = validate_query(self._schema, document, self.limits)
        return Mistakes(errors, document) if errors else CheckedDocument(document)

    async def _checked(
        self,
        query: str | None,
        operation_name: str | None,
        allowed: Iterable[OperationType] | None,
        caller: Callable[[], str],
    ) -> CheckedDocument | Mistakes:
        if not query:
            raise MissingQueryError
        checked = await self.documents.fetch(query, caller)
        if checked.document is None:
            return checked
        try:
            operation = find_operation(checked.document, operation_name)
        except GraphQLError as error:
            if isinstance(checked, Mistakes):
                return checked
            if operation_name is not None:
                raise CannotGetOperationTypeError(operation_name) from error
            return Mistakes([error], checked.document)
        operation_type = OperationType(operation.operation.value)
        if allowed is not None and operation_type not in allowed:
            raise InvalidOperationTypeError(operation_type)
        return checked

    def cost(
        self, checked: CheckedDocument, operation_name: str | None, variables: dict[str, Any] | None
    ) -> tuple[dict[str, Any] | None, GraphQLError | None]:
        """The cost as `extensions` tell it, and the error if it is too much."""
        if not self._counts_cost:
            return None, None
        cost = checked.costs.get(operation_name)
        if cost is None:
            cost = compile_cost(self._schema, checked.document, operation_name)
            checked.costs[operation_name] = cost
        requested, error = check_cost(cost, variables, self.limits)
        return {"cost": {"requested": requested, "limit": self.limits.max_query_cost}}, error

    def _result(self, result: GraphQLExecutionResult, extensions: dict[str, Any] | None) -> ExecutionResult:
        if result.errors:
            self.process_errors(result.errors)
        return ExecutionResult(data=result.data, errors=result.errors, extensions=extensions)

    def _refused(self, errors: list[GraphQLError]) -> PreExecutionError:
        self.process_errors(errors)
        return PreExecutionError(data=None, errors=errors)


def _first_name(document: DocumentNode) -> str | None:
    operation = get_first_operation(document)
    return None if operation is None or operation.name is None else operation.name.value


def _is_heavy(
    checked: CheckedDocument, operation_name: str | None, extensions: dict[str, Any] | None
) -> bool:
    """Whether an operation takes the lane for heavy queries, by the cost that `extensions` tell."""
    if extensions is None or extensions["cost"]["requested"] < HEAVY_COST:
        return False
    return find_operation(checked.document, operation_name).operation.value == OperationType.QUERY.value
