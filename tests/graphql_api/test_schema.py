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

from graphql_api.descriptions import unused_descriptions
from graphql_api.schema import NODE_LOADERS, export_schema
from ml_models.tracking.factory import TRACKERS
from tasks.results.writers import WRITERS

SCHEMA = build_schema(export_schema())
OWN_TYPES = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}


def test_the_committed_schema_is_that_of_the_code():
    committed = Path(__file__).resolve().parents[2] / "schema.graphql"
    assert committed.read_text() == export_schema(), "run `make schema`"


def _described():
    """Each thing that has a description, by its name."""
    for name, kind in OWN_TYPES.items():
        if name not in ("String", "Int", "Float", "Boolean", "ID"):
            yield name, kind
        if is_enum_type(kind):
            yield from ((f"{name}.{value_name}", value) for value_name, value in kind.values.items())
        if is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind):
            for field_name, field in kind.fields.items():
                yield f"{name}.{field_name}", field
                for argument_name, argument in getattr(field, "args", {}).items():
                    yield f"{name}.{field_name}({argument_name}:)", argument


def test_every_type_field_argument_and_value_is_described():
    things = dict(_described())
    assert {"Query.video(id:)", "EventKind.VIDEO_READY", "SignInInput.password"} < set(things)
    bare = [name for name, thing in things.items() if not (thing.description or "").strip()]
    assert bare == [], "see graphql_api/descriptions.py for arguments and values"


def test_descriptions_are_sentences():
    odd = [name for name, thing in _described() if not thing.description.strip().endswith((".", "`"))]
    assert odd == []


def test_nothing_is_described_that_is_not_there():
    assert unused_descriptions(SCHEMA) == []


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
