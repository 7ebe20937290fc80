"""graphql-core's executor, with plans for selections of plain attributes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import nullcontext
from typing import Any, cast

from graphql import GraphQLError, GraphQLObjectType, GraphQLOutputType, GraphQLResolveInfo
from graphql.execution import ExecutionResult
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.pyutils import Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from typing_extensions import override

from graphql_api.execution.plans import DocumentPlans, Plan, Plans, find_plan
from graphql_api.execution.roots import RootPlan, make_root_plan
from graphql_api.execution.selection import PlannedInfo
from graphql_api.scheduling.pieces import Pieces

_LONG_LIST = 10
"""Shorter lists are made at once."""

_READS_AT_ONCE = 2
"""Root fields of one heavy query that are read at the same time."""


class CompilingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation.

    Args:
        arguments: As graphql-core's executor takes them.
        document_plans: The plans of the document; without, it is graphql-core's executor.
        pieces: If given, the operation is done in these.
        options: As Strawberry's and graphql-core's executors take them.
    """

    def __init__(
        self,
        *arguments: Any,
        document_plans: DocumentPlans | None = None,
        pieces: Pieces | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._pieces = pieces
        if pieces is not None:
            self._reads = asyncio.Semaphore(_READS_AT_ONCE)
        has_middleware = self.middleware_manager is not None and bool(self.middleware_manager.middlewares)
        self.plans: Plans | None = None
        if document_plans is not None and not has_middleware and self.abort_signal is None:
            self.plans = document_plans.of(self.variable_values.coerced)
        self._document_plans = document_plans
        self._at_root: FieldDetailsList | None = None

    @override
    def build_response(self, data: dict[str, Any] | None) -> Any:
        """The result of the operation."""
        response = super().build_response(data)
        # The helpers refer to the executor. With that circle, all that the request read would stay in memory
        # until the garbage collector runs, which is rarely.
        self.async_helpers = cast("Any", None)
        return response

    @override
    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        *options: Any,
    ) -> Any:
        """Make the results of the root fields, and note how, for the next time."""
        if (
            self._document_plans is not None
            and self.plans is not None
            and root_type is self.schema.query_type
        ):
            name = self.operation.name
            self._document_plans.note_root(
                None if name is None else name.value,
                self.variable_values.coerced,
                lambda: make_root_plan(self, root_type, grouped_field_set),
            )
        return super().execute_collected_root_fields(root_type, root_value, grouped_field_set, *options)

    async def finish_root(self, root: RootPlan, outcome: Awaitable[Any]) -> ExecutionResult:
        """The result of an operation whose only resolver was called already."""
        path = Path(None, root.name, root.parent.name)
        nodes = [details.node for details in root.fields]
        info = self.build_resolve_info(root.field, nodes, root.parent, path)
        try:
            result = await self.complete_awaitable_value(
                root.field.type, root.fields, info, path, outcome, None
            )
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return cast("ExecutionResult", self.build_response(None))
        return cast("ExecutionResult", self.build_response({root.name: result}))

    @override
    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Make the result of one object."""
        if self.plans is not None and position_context is None:
            plan = find_plan(self.plans, self, return_type, field_details_list)
            results = None if plan is None else self._built(plan, result)
            if plan is not None and results is not None:
                return self._finished(plan, return_type, result, path, results) if plan.rest else results
        return super().collect_and_execute_subfields(
            return_type, field_details_list, path, result, position_context
        )

    @override
    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        """Make the result of one field."""
        if parent_type is self.schema.query_type and self.plans is not None and position_context is None:
            self._at_root = field_details_list
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    @override
    async def complete_awaitable_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Call a resolver and make the result of its field; in a later turn of the event loop if need be."""
        if self._pieces is not None:
            result = self._in_turn(self._pieces, result, info.parent_type is self.schema.query_type)
        return await super().complete_awaitable_value(
            return_type, field_details_list, info, path, result, position_context
        )

    async def _in_turn(self, pieces: Pieces, result: Any, is_root: bool) -> Any:
        """What a resolver gives. Those of root fields read a few at a time: others ask the database, too.

        What is below them is read by loaders, which need all that is asked at the same time.
        """
        has_begun = False
        try:
            async with self._reads if is_root else nullcontext():
                await pieces.next()
                has_begun = True
                return await result
        finally:
            if not has_begun and isinstance(result, Coroutine):
                result.close()

    @override
    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Make the results of the items of a list; a few in each turn of the event loop if need be."""
        arguments = (item_type, field_details_list, info, path)
        if self._pieces is None or position_context is not None or not isinstance(items, list):
            return super().complete_iterable_value(*arguments, items, position_context)
        if len(items) < _LONG_LIST or any(map(self.is_awaitable, items)):
            return super().complete_iterable_value(*arguments, items, position_context)
        return self._complete_in_pieces(self._pieces, items, *arguments)

    async def _complete_in_pieces(
        self,
        pieces: Pieces,
        items: list[Any],
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
    ) -> list[Any]:
        results: list[Any] = []
        awaitable: list[int] = []
        try:
            for index, item in enumerate(items):
                await pieces.next()
                if self.complete_list_item_value(
                    item, results, item_type, field_details_list, info, path.add_key(index, None), None
                ):
                    awaitable.append(index)
        except BaseException:
            if awaitable:
                self.settle_in_background([results[index] for index in awaitable])
            raise
        if awaitable:
            values = await gather_with_cancel(*[results[index] for index in awaitable])
            for index, value in zip(awaitable, values, strict=True):
                results[index] = value
        return results

    @override
    def build_resolve_info(self, *arguments: Any) -> GraphQLResolveInfo[Any]:
        """The information for a resolver; of a root field, with the plan for what it selects."""
        info = super().build_resolve_info(*arguments)
        if self._at_root is None:
            return info
        planned: Any = tuple.__new__(PlannedInfo, info)
        planned.executor, planned.field_details = self, self._at_root
        self._at_root = None
        return cast("GraphQLResolveInfo[Any]", planned)

    def _built(self, plan: Plan, source: Any) -> dict[str, Any] | None:
        """The result of an object, or None if anything about it is not plain."""
        try:
            results: dict[str, Any] = plan.build(source)
        except Exception:
            # Nothing was done but to read attributes: graphql-core will find it too, and say where.
            return None
        return results

    def _finished(
        self, plan: Plan, parent: GraphQLObjectType, source: Any, path: Path, results: dict[str, Any]
    ) -> Any:
        """What `execute_fields` does, for the fields that a plan leaves over."""
        is_awaitable: Callable[[Any], bool] = self.is_awaitable
        awaitable: list[str] = []
        try:
            for name, fields in plan.rest:
                results[name] = result = self.execute_field(
                    parent, source, fields, Path(path, name, parent.name), None
                )
                if is_awaitable(result):
                    awaitable.append(name)
        except Exception:
            if awaitable:
                self.settle_in_background([results[name] for name in awaitable])
            raise
        return self._awaited(results, awaitable) if awaitable else results

    async def _awaited(self, results: dict[str, Any], awaitable: list[str]) -> dict[str, Any]:
        if len(awaitable) == 1:
            results[awaitable[0]] = await results[awaitable[0]]
        else:
            values = await gather_with_cancel(*(results[name] for name in awaitable))
            results.update(zip(awaitable, values, strict=True))
        return results
