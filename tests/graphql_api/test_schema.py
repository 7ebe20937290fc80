"""The schema as a whole."""

from pathlib import Path

from graphql import (
    GraphQLNonNull,
    build_schema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
)

from graphql_api.schema import NODE_LOADERS, export_schema
from ml_models.tracking.factory import TRACKERS
from tasks.results.writers import WRITERS

SCHEMA = build_schema(export_schema())
OWN_TYPES = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}


def test_the_committed_schema_is_that_of_the_code():
    committed = Path(__file__).resolve().parents[2] / "schema.graphql"
    assert committed.read_text() == export_schema(), "run `make schema`"


def test_every_type_field_and_value_is_described():
    bare = []
    for name, kind in OWN_TYPES.items():
        if is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind):
            bare += [
                f"{name}.{field_name}" for field_name, field in kind.fields.items() if not field.description
            ]
        if not kind.description and name not in ("String", "Int", "Float", "Boolean", "ID"):
            bare.append(name)
    assert bare == []


def test_every_node_can_be_loaded_by_its_id():
    nodes = {kind.name for kind in SCHEMA.get_possible_types(SCHEMA.type_map["Node"])}
    assert nodes == set(NODE_LOADERS)


def test_every_mutation_returns_a_payload_with_user_errors():
    mutation = SCHEMA.mutation_type
    assert mutation is not None
    for field in mutation.fields.values():
        assert isinstance(field.type, GraphQLNonNull)
        assert str(field.type.of_type.fields["userErrors"].type) == "[UserError!]!"


def test_enums_offer_what_there_is():
    def values(name: str) -> set[str]:
        kind = SCHEMA.type_map[name]
        assert is_enum_type(kind)
        return set(kind.values)

    assert values("Tracker") == set(TRACKERS)
    assert values("ResultFormat") == set(WRITERS)
