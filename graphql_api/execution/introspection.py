"""Answers about the schema, made beside the event loop and kept."""

from collections import OrderedDict
from typing import Any, cast

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema
from graphql.execution import execute

from graphql_api.execution.beside import beside_the_loop

MAX_ANSWERS = 4
"""Most answers that are kept: every tool asks one or two, over and over."""


class Introspection:
    """Answers operations that ask for the schema alone, one at a time, beside the event loop."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._answers: OrderedDict[tuple[str, str | None, bytes], ExecutionResult] = OrderedDict()

    async def answer(
        self,
        source: str,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, Any] | None,
    ) -> ExecutionResult:
        """The answer; an answer without errors is the same object every time."""
        key = (source, operation_name, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS))
        known = self._answers.get(key)
        if known is not None:
            self._answers.move_to_end(key)
            return known
        made = await beside_the_loop(self._made, document, operation_name, variables)
        if not made.errors:
            self._answers[key] = made
            if len(self._answers) > MAX_ANSWERS:
                self._answers.popitem(last=False)
        return made

    def _made(
        self, document: DocumentNode, operation_name: str | None, variables: dict[str, Any] | None
    ) -> ExecutionResult:
        made = execute(self._schema, document, variable_values=variables, operation_name=operation_name)
        # No field of the introspection waits for anything.
        return cast(ExecutionResult, made)
