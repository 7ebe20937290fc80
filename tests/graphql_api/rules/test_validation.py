"""What documents may ask for: the limits, and that checking them takes no long time."""

import gc
import random

import pytest
from graphql import GraphQLError, get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.rules import QueryLimits, parse_query, validate_query
from graphql_api.rules.measures import check_sizes
from graphql_api.rules.validation import MAX_VALIDATION_ERRORS
from graphql_api.schema import make_schema

API = make_schema()._schema
LIMITS = QueryLimits()


def refusal(document: str, limits: QueryLimits = LIMITS) -> tuple[str, str] | None:
    """The code and the limit of what is wrong with a document."""
    try:
        errors = validate_query(API, parse_query(document, limits), limits)
    except GraphQLError as error:
        errors = [error]
    if not errors:
        return None
    extensions = errors[0].extensions or {}
    return extensions.get("code", "BAD_USER_INPUT"), extensions.get("limit", "")


def chain(length: int, times: int, inner: str = "__typename") -> str:
    """A document whose fragments spread the next one so often."""
    links = [f"fragment F{i} on Query {{ {f'...F{i + 1} ' * times} }}" for i in range(length)]
    return " ".join(["{ ...F0 }", *links, f"fragment F{length} on Query {{ {inner} }}"])


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        ("{" + "a {" * 15 + "a" + "}" * 16, "max_query_depth"),
        ("{" + "a { ... {" * 15 + "a" + "} }" * 15 + "}", "max_query_depth"),
        (
            "{ ...A } fragment A on Query { " + "a {" * 10 + "...B" + "}" * 10 + "} fragment B on X { "
            + "a {" * 5 + "a" + "}" * 6,
            "max_query_depth",
        ),
        ("{" + " ".join(f"a{i}: __typename" for i in range(101)) + "}", "max_query_aliases"),
        (
            "{ ...A ...A ...A } fragment A on Query {" + " ".join(f"a{i}: x" for i in range(40)) + "}",
            "max_query_aliases",
        ),
        ("{ __typename" + " @skip(if: true)" * 101 + "}", "max_query_directives"),
        ("query" + " @a" * 101 + "{ __typename }", "max_query_directives"),
        (chain(25, 2), "max_query_fields"),
        (chain(25, 2, "a: __typename"), "max_query_aliases"),
        (chain(40, 9), "max_query_fields"),
        ("{" + "... {" * 100 + "__typename" + "}" * 101, "max_query_fields"),
        (" ".join(f"fragment F{i} on Query {{ a }}" for i in range(51)), "max_query_definitions"),
        ("{ " + "a " * 1999 + "}", "max_query_tokens"),
        ("#" + "x" * 32_768 + "\n{ __typename }", "max_query_bytes"),
        ("#" + "é" * 20_000 + "\n{ __typename }", "max_query_bytes"),
        ("{ " + "," * 40_000 + "__typename }", "max_query_bytes"),
    ],
)  # fmt: skip
def test_a_document_over_a_limit_is_refused_by_its_name(document, limit):
    assert refusal(document) == ("LIMIT_EXCEEDED", limit)


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { a { ...A } }",
        "fragment A on Query { ...A }",
    ],
)
def test_a_fragment_in_itself_is_a_mistake(document):
    assert refusal(document) == ("BAD_USER_INPUT", "")


def test_what_is_within_the_limits_passes():
    assert refusal("{" + " ".join(f"a{i}: __typename" for i in range(100)) + "}") is None
    assert refusal(chain(10, 2)) is None
    deep = "{ videos { edges { node { analyses { edges { node { video { analyses { edges { node { video {"
    assert refusal(deep + " id " + "}" * deep.count("{")) is None


@pytest.mark.parametrize("descriptions", [True, False])
def test_the_introspection_of_tools_passes(descriptions):
    query = get_introspection_query(
        descriptions=descriptions,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert refusal(query) is None


def test_recursive_lists_of_the_introspection_are_refused():
    nested = "{ fields { type " * 4 + "{ name }" + "} }" * 4
    refused = ("LIMIT_EXCEEDED", "max_introspection_depth")
    assert refusal("{ __schema { types " + nested + " } }") == refused
    assert refusal('{ __type(name: "Video") ' + nested + " }") == refused


def test_the_introspection_can_be_switched_off():
    off = QueryLimits(introspection=False)
    for document in ("{ __schema { types { name } } }", '{ __type(name: "Video") { name } }'):
        assert refusal(document) is None
        assert refusal(document, off) == ("BAD_USER_INPUT", "")
    assert refusal("{ __typename me { __typename } }", off) is None


def test_only_some_errors_are_listed():
    document = parse("{" + " ".join(f"vidoes{i}" for i in range(200)) + "}")
    assert len(validate_query(API, document, LIMITS)) <= MAX_VALIDATION_ERRORS + 1


def test_fields_that_may_conflict_are_compared_only_so_often():
    assert refusal("{ " + "__typename " * 110 + "}") == ("LIMIT_EXCEEDED", "max_field_comparisons")
    assert refusal("{ " + "__typename @skip(if: true) " * 100 + "}") is None
    spreads = " ".join(f"...F{i}" for i in range(33))
    fragments = " ".join(f"fragment F{i} on User {{ id }}" for i in range(33))
    assert refusal(f"{{ me {{ {spreads} }} }} {fragments}") is None


def test_without_introspection_no_names_are_suggested():
    off = QueryLimits(introspection=False)
    for document in (
        "{ me { usernam } }",
        "{ videos(firs: 1) { edges { cursor } } }",
        "{ a: vidoes { id } }",
    ):
        (suggesting,) = validate_query(API, parse(document), LIMITS)
        (silent,) = validate_query(API, parse(document), off)
        assert "Did you mean" in suggesting.message
        assert "Did you mean" not in silent.message


@pytest.mark.parametrize("introspection", [True, False])
async def test_without_introspection_variables_suggest_no_names_either(introspection):
    schema = make_schema(QueryLimits(introspection=introspection))
    query = "query($f: VideoFilter, $o: VideoOrder) { videos(filter: $f, orderBy: $o) { edges { cursor } } }"
    for variables in ({"f": {"serch": "x"}}, {"o": "NEWES"}):
        (error,) = (await schema.execute(query, variables)).errors
        assert ("Did you mean" in error.message) is introspection


def test_directives_of_variables_count():
    document = "query(" + " ".join(f"$a{i}: Int @a @b" for i in range(51)) + ") { __typename }"
    assert refusal(document) == ("LIMIT_EXCEEDED", "max_query_directives")


def count_steps(monkeypatch: pytest.MonkeyPatch, document: str) -> int:
    """How many selection sets are walked to measure a document."""
    from graphql_api.rules import measures

    steps = 0
    walk = measures._Measurer._walk

    def counted(self, selection_set):
        nonlocal steps
        steps += 1
        return walk(self, selection_set)

    with monkeypatch.context() as patch:
        patch.setattr(measures._Measurer, "_walk", counted)
        check_sizes(parse(document), LIMITS)
    return steps


@pytest.mark.parametrize("times", [1, 2, 9])
def test_measuring_takes_steps_in_proportion_to_the_document(monkeypatch, times):
    assert count_steps(monkeypatch, chain(24, times)) == 27
    assert count_steps(monkeypatch, chain(48, times)) == 51


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_measures_are_those_of_the_expanded_document(count, seed):
    rng = random.Random(seed)
    bodies = []
    for number in range(count):
        fields = [rng.choice(["a", "b: a", "a @x", "a { c d: c }"]) for _ in range(rng.randint(1, 3))]
        later = [
            f"...F{rng.randint(number + 1, count - 1)}"
            for _ in range(rng.randint(0, 2))
            if number < count - 1
        ]
        bodies.append(" ".join(fields + later))
    text = " ".join(
        [f"{{ {bodies[0]} }}", *(f"fragment F{i} on Q {{ {bodies[i]} }}" for i in range(1, count))]
    )
    expanded = bodies[0]
    while "...F" in expanded:
        for number in range(1, count):
            expanded = expanded.replace(f"...F{number}", bodies[number])
    for name, found in (
        ("max_query_aliases", expanded.count(":")),
        ("max_query_directives", expanded.count("@")),
        ("max_query_depth", 2 if "{" in expanded else 1),
    ):
        for allowed in {max(found, 1), max(found - 1, 1)}:
            error = check_sizes(parse(text), QueryLimits(**{name: allowed}))
            if found > allowed:
                assert error.extensions["limit"] == name
            else:
                assert error is None or error.extensions["limit"] != name


@pytest.mark.parametrize(
    ("document", "passes"),
    [
        ("{ __typename __schema { queryType { name } } a: __type(name: \"Video\") { name } }", True),
        ("query A { me { id } } query B { __schema { queryType { name } } }", True),
        ("{ me { id } __schema { queryType { name } } }", False),
        ("{ me { id } ...A } fragment A on Query { ... { ...B } } fragment B on Query { __schema { queryType { name } } }", False),
    ],
)  # fmt: skip
def test_the_schema_is_asked_for_alone(document, passes):
    assert refusal(document) == (None if passes else ("BAD_USER_INPUT", ""))


def test_a_value_that_a_scalar_cannot_read_is_the_clients_mistake():
    (error,) = validate_query(
        API, parse(f"{{ videos(first: {'1' * 5000}) {{ edges {{ cursor }} }} }}"), LIMITS
    )
    assert error.original_error is None


def test_a_document_that_is_dropped_leaves_nothing_for_the_garbage_collector():
    text = "query Q($id: ID!) { # a comment\n a: analysis(id: $id) { ...F } } fragment F on Analysis { id }"
    parse_query(text, LIMITS)
    gc.collect()
    gc.disable()
    try:
        parse_query(text, LIMITS)
        assert gc.collect() == 0
    finally:
        gc.enable()
