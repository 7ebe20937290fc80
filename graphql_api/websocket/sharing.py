"""Which subscriptions give the same results for the same event."""

from collections.abc import Hashable, Iterator

import orjson
from graphql import FieldNode, FragmentDefinitionNode, Node, VariableNode

from graphql_api.http.links import base_url
from graphql_api.live.feeds import Feed
from graphql_api.websocket.execution import Prepared


def sharing_key(prepared: Prepared, feed: Feed[object]) -> Hashable:
    """Equal for subscriptions whose results for an event of `feed` are equal.

    The account belongs to it, for what is below an event is looked up as its viewer, and the address of the
    request, for links begin with it. A variable does so only if something below the root field uses it: two
    that follow the same log from different positions see each event alike.
    """
    variables = prepared.request.variables or {}
    used = {name: variables[name] for name in variables.keys() & _names_below_root(prepared)}
    return (
        feed.key,
        prepared.context.user_id,
        base_url(prepared.context),
        prepared.request.query,
        prepared.operation_name,
        orjson.dumps(used, option=orjson.OPT_SORT_KEYS),
    )


def _names_below_root(prepared: Prepared) -> set[str]:
    roots = prepared.operation.selection_set.selections
    waiting: list[Node] = [
        node for node in prepared.checked.document.definitions if isinstance(node, FragmentDefinitionNode)
    ]
    for root in roots:
        # A root field's own arguments say which feed it is; that is in the feed's key.
        waiting += [one for one in _children(root) if not _is_argument_of_field(root, one)]
    names = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, VariableNode):
            names.add(node.name.value)
        waiting.extend(_children(node))
    return names


def _is_argument_of_field(node: Node, child: Node) -> bool:
    return isinstance(node, FieldNode) and any(child is argument for argument in node.arguments or ())


def _children(node: Node) -> Iterator[Node]:
    for key in node.keys:
        value = getattr(node, key, None)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (one for one in value if isinstance(one, Node))
