"""Validation says what graphql-core's says, and leaves nothing behind."""

import gc

import pytest
from graphql import get_introspection_query, parse, specified_rules, validate

from graphql_api.rules.limits import QueryLimits
from graphql_api.rules.unlinked import validate_unlinked
from graphql_api.rules.validation import MAX_VALIDATION_ERRORS, parse_query
from graphql_api.schema import make_schema

API = make_schema()._schema
DOCUMENTS = {
    "introspection": get_introspection_query(),
    "valid": "query($id: ID!) { video(id: $id) { ...V } } fragment V on Video { id analyses { edges { cursor } } }",
    "unknown field": "{ me { nothing } }",
    "unused and undefined": "query($a: ID!) { video(id: $b) { ...V } } fragment V on Video { id(x: $c) }",
    "conflicts": "{" + " ".join(f"a: video(id: {n}) {{ id }}" for n in range(30)) + "}",
    "too many errors": "{" + " ".join(f"x{n}" for n in range(60)) + "}",
    "unknown fragments": "{" + " ".join(f"...F{n}" for n in range(30)) + "}",
    "several operations": "query A { me { id } } query A { me { id } } { me { id } }",
    "wrong values": '{ videos(first: "a", orderBy: NEVER, filter: {search: 1, x: 2}) { edges { cursor } } }',
}


def check(document):
    return validate_unlinked(
        API, document, specified_rules, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=False
    )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_errors_are_those_of_graphql_core(name):
    document = parse(DOCUMENTS[name])
    expected = validate(API, document, specified_rules, max_errors=MAX_VALIDATION_ERRORS)
    assert [error.formatted for error in check(document)] == [error.formatted for error in expected]
    assert (not expected) == (name in ("introspection", "valid"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_left_for_the_garbage_collector(name):
    check(parse_query(DOCUMENTS[name], QueryLimits()))
    gc.collect()
    gc.disable()
    try:
        check(parse_query(DOCUMENTS[name], QueryLimits()))
        assert gc.collect() == 0
    finally:
        gc.enable()
