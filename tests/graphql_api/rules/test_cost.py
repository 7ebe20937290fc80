"""The cost of documents: by hand, and against counting the expanded document naively."""

from typing import Any

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
)
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.rules import QueryLimits, check_cost, compile_cost
from graphql_api.schema import make_schema
from tests.graphql_api.rules.schema import SCHEMA


def cost(document: str, variables: dict[str, Any] | None = None, operation_name: str | None = None) -> int:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    return compile_cost(SCHEMA, parsed, operation_name).of(variables)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ thing { name } }", 2),
        ("{ __typename }", 1),
        ("{ thing { a: name b: name tags } }", 4),
        ("{ things(first: 5) { total edges { cursor } } }", 3 + 5),
        ("{ things(first: 5) { edges { cursor } ends { name } } }", 3 + 5 + 5),
        ("{ things { edges { node { name } } } }", 2 + 20 * 2),
        ("{ things(first: null) { edges { cursor } } }", 2 + 20),
        ("{ things(first: 0) { edges { cursor } } }", 2),
        ("{ things(first: -5) { edges { cursor } } }", 2),
        ("{ things(first: 5000) { edges { cursor } } }", 2 + 100),
        ("{ unsized { name } }", 1 + 100),
        ("{ unsized(first: 3) { name } }", 1 + 3),
        ("{ plain { name } }", 1 + 10),
        ("{ thing { plain { plain { name } } } }", 2 + 10 * (1 + 10)),
        (
            "{ things(first: 3) { edges { node { things(first: 4) { edges { cursor } } } } } }",
            2 + 3 * (1 + 2 + 4),
        ),
        ("{ things(first: 3) { ...C } } fragment C on Connection { edges { cursor } }", 2 + 3),
        ("{ things(first: 3) { ... { edges { cursor } } ... on Connection { total } } }", 3 + 3),
        ("{ thing { ... on Named { name things(first: 2) { edges { cursor } } } } }", 1 + 1 + 2 + 2),
        ("{ thing { ...F ...F } } fragment F on Thing { name tags }", 1 + 4),
    ],
)
def test_costs_by_hand(document, expected):
    assert cost(document) == expected


@pytest.mark.parametrize(
    ("definition", "variables", "size"),
    [
        ("$n: Int", {"n": 7}, 7),
        ("$n: Int", {"n": 0}, 0),
        ("$n: Int", {"n": -1}, 0),
        ("$n: Int", {"n": 10**9}, 100),
        ("$n: Int", {"n": "7"}, 100),
        ("$n: Int", {"n": 7.5}, 100),
        ("$n: Int", {}, 20),
        ("$n: Int", None, 20),
        ("$n: Int", {"n": None}, 20),
        ("$n: Int = 9", {}, 9),
        ("$n: Int = 9", {"n": None}, 20),
        ("$n: Int! = 9", {"n": 4}, 4),
    ],
)
def test_page_sizes_in_variables(definition, variables, size):
    document = f"query({definition}) {{ things(first: $n) {{ edges {{ cursor }} }} }}"
    assert cost(document, variables) == 2 + size


def test_the_pages_of_the_real_schema_have_their_default_sizes():
    document = parse("{ videos { edges { cursor } } events { edges { cursor } } }")
    assert compile_cost(make_schema()._schema, document).of({}) == 2 + 20 + 2 + 100


def test_each_operation_has_its_own_cost():
    document = "query A { thing { name } } query B { plain { name } }"
    assert cost(document, operation_name="A") == 2
    assert cost(document, operation_name="B") == 11


def test_a_doubling_chain_of_fragments_is_counted_at_once():
    chain = " ".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(40))
    end = "fragment F40 on Query { things(first: $n) { edges { cursor } } }"
    assert cost(f"query($n: Int) {{ ...F0 }} {chain} {end}", {"n": 3}) == 2**40 * (2 + 3)


def test_a_cost_over_the_limit_is_an_error_that_names_it():
    document = parse("query($n: Int) { things(first: $n) { edges { cursor } } }")
    query_cost = compile_cost(SCHEMA, document)
    limits = QueryLimits(max_query_cost=50)
    assert check_cost(query_cost, {"n": 48}, limits) == (50, None)
    requested, error = check_cost(query_cost, {"n": 49}, limits)
    assert requested == 51
    assert error.extensions == {"code": "LIMIT_EXCEEDED", "limit": "max_query_cost"}
    assert "51" in error.message
    assert "50" in error.message


def test_a_cost_without_variables_is_a_constant():
    assert compile_cost(SCHEMA, parse("{ things { edges { cursor } } }")).is_constant
    assert not compile_cost(
        SCHEMA, parse("query($n: Int) { things(first: $n) { edges { cursor } } }")
    ).is_constant


def test_the_introspection_of_tools_costs_about_what_it_returns():
    schema = make_schema()
    query = get_introspection_query(
        specified_by_url=True, schema_description=True, input_value_deprecation=True
    )
    requested = compile_cost(schema._schema, parse(query)).of({})
    answer = schema.introspect()
    assert count_fields(answer) < requested < QueryLimits().max_query_cost / 2


def count_fields(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(count_fields(inner) for inner in value.values())
    return sum(count_fields(inner) for inner in value) if isinstance(value, list) else 0


PAGES = st.sampled_from(["", "(first: 3)", "(first: $a)", "(first: $b)", "(first: null)", "(first: 500)"])


@st.composite
def selections(draw: st.DrawFn, kind: str, depth: int, fragment: int) -> str:
    """A selection set on a type; fragments with a higher number than `fragment` may be spread."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        choice = draw(st.integers(0, 5))
        below = FRAGMENTS.get(kind, [])
        spreadable = [number for number in below if number > fragment]
        if choice == 0 and spreadable:
            parts.append(f"...F{draw(st.sampled_from(spreadable))}")
        elif choice == 1 and depth > 0:
            parts.append(f"... on {kind} {draw(selections(kind, depth - 1, fragment))}")
        elif depth > 0:
            name, inner, paged = draw(st.sampled_from(FIELDS[kind]))
            pages = draw(PAGES) if paged else ""
            body = draw(selections(inner, depth - 1, fragment)) if inner else ""
            parts.append(f"{name}{pages} {body}")
        else:
            parts.append("__typename")
    return "{ " + " ".join(parts) + " }"


FIELDS = {
    "Query": [("things", "Connection", True), ("unsized", "Thing", True), ("thing", "Thing", False)],
    "Thing": [("name", None, False), ("plain", "Thing", False), ("things", "Connection", True)],
    "Connection": [("total", None, False), ("edges", "Edge", False), ("ends", "Thing", False)],
    "Edge": [("cursor", None, False), ("node", "Thing", False)],
}
FRAGMENTS = {"Query": [0, 4], "Connection": [1, 5], "Thing": [2, 6], "Edge": [3, 7]}


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = f"query($a: Int, $b: Int = 4) {draw(selections('Query', 4, -1))}"
    for kind, numbers in FRAGMENTS.items():
        for number in numbers:
            text += f" fragment F{number} on {kind} {draw(selections(kind, 2, number))}"
    return text


@given(documents(), st.dictionaries(st.sampled_from(["a", "b"]), st.none() | st.integers(-2, 300)))
def test_the_cost_is_that_of_counting_the_expanded_document(text, variables):
    document = parse(text)
    assert compile_cost(SCHEMA, document).of(variables) == NaiveCount(document, variables).total()


class NaiveCount:
    """Counts every field of the answer one by one, fragments expanded wherever they stand."""

    def __init__(self, document: Any, variables: dict[str, Any]) -> None:
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        (self.operation,) = [
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        self.variables = {"b": 4} | variables

    def total(self) -> int:
        return self.count(self.operation.selection_set, SCHEMA.query_type, 10)

    def count(self, selection_set: Any, kind: Any, size_of_lists: int) -> int:
        total = 0
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                total += self.field(node, kind, size_of_lists)
            elif isinstance(node, FragmentSpreadNode):
                total += self.count(self.fragments[node.name.value].selection_set, kind, size_of_lists)
            else:
                total += self.count(node.selection_set, kind, size_of_lists)
        return total

    def field(self, node: FieldNode, kind: Any, size_of_lists: int) -> int:
        if node.selection_set is None:
            return 1
        field = kind.fields[node.name.value]
        inner = get_named_type(field.type)
        page = self.page(node, field)
        if not is_list_type(get_nullable_type(field.type)):
            return 1 + self.count(node.selection_set, inner, 10 if page is None else page)
        size = size_of_lists if page is None else page
        return 1 + size * self.count(node.selection_set, inner, 10)

    def page(self, node: FieldNode, field: Any) -> int | None:
        if "first" not in field.args:
            return None
        default = 100 if field.args["first"].default is None else 20
        given = [argument.value for argument in node.arguments or ()]
        if not given:
            return default
        if given[0].kind == "variable":
            value = self.variables.get(given[0].name.value, default)
        else:
            value = int(given[0].value) if given[0].kind == "int_value" else None
        return default if value is None else min(max(value, 0), 100)
