"""Lists below the objects of a list, read for all of them before any result is made.

A resolver that is called for each object of a page takes longer than its share of the page's statement. Where
the selection asks nothing else that has a resolver, the list reads what is asked below its objects itself,
and the page is made by columns. Otherwise the resolvers of the objects do it, as ever.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import strawberry
from graphql import GraphQLField
from graphql.execution.values import get_argument_values

from domain.errors import UserFacingError
from domain.sql import StoredId
from graphql_api.execution.plans import Plan
from graphql_api.execution.selection import PlannedInfo
from graphql_api.rows import Column, RowEdges

ReadAhead = Callable[..., Awaitable[Column]]
"""Reads the values of a field for all objects of a page; called with their keys and the field's arguments.

The keys are as they are stored.
"""


async def read_ahead(
    info: strawberry.Info[Any, Any], readers: Mapping[str, ReadAhead], edges: RowEdges
) -> Mapping[str, Column]:
    """The values that the selection on a connection asks for: attribute → one for each object.

    Args:
        info: That of the field which is the connection.
        readers: Name of a field of the objects → what reads its values.
        edges: The objects, which have a `key`.
    """
    raw: Any = info._raw_info
    plan = raw.plan() if isinstance(raw, PlannedInfo) else None
    if plan is None:
        return {}
    found: dict[str, Column] = {}
    keys: list[StoredId] | None = None
    try:
        for nodes in _plans_of_nodes(plan):
            for attribute, group in nodes.ahead:
                node = group[0].node
                field: GraphQLField = nodes.kind.fields[node.name.value]
                arguments = get_argument_values(field, node, raw.all_variables())
                # Without such a field the keys may not have been read.
                keys = keys or edges.keys
                found[attribute] = await readers[node.name.value](keys, **arguments)
    except UserFacingError:
        return {}  # the resolvers will raise it where it belongs
    return found


def _plans_of_nodes(connection: Plan) -> Sequence[Plan]:
    edges = [shape.below for name, shape in connection.attributes() if name == "edges"]
    nodes = [
        shape.below
        for edge in edges
        if edge is not None
        for name, shape in edge.attributes()
        if name == "node"
    ]
    return [node for node in nodes if node is not None]
