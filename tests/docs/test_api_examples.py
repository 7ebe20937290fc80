"""What the documents say of the API fits the schema and the code."""

import json
import re

import pytest
from graphql import GraphQLError, build_schema, parse, validate

from domain.analyses.files import OVERLAY_FILE, RESULT_FILES, ResultFormat
from domain.analyses.models import Tracker
from domain.errors import ErrorCode
from graphql_api import errors
from graphql_api.execution.trusted_documents import TrustedDocuments
from graphql_api.rules import compile_cost
from graphql_api.schema import make_schema
from ml_models.catalog import CATALOG
from settings import Settings
from tasks.results.table import OPTIONAL_FIELDS, TRACKED_SCHEMA
from tests.docs.markdown import blocks, code_spans, documents, read, rows, section

PAGE = "docs/api.md"
SCHEMA = build_schema(make_schema().as_str())


def operations() -> list[tuple[str, str]]:
    """Where each GraphQL document stands, and the document: blocks, and those inside shell and code."""
    found = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        found += [(path.name, block.text) for block in blocks(text, "graphql")]
        for block in blocks(text):
            if block.language == "sh":
                found += [
                    (path.name, json.loads(f'"{query}"'))
                    for query in re.findall(r'"query": "(.*?)",?$', block.text, re.M)
                ]
                found += [
                    (path.name, query) for query in re.findall(r"^echo '(.*?)' \|", block.text, re.M | re.S)
                ]
            elif block.language in ("js", "python"):
                found += [
                    (path.name, query)
                    for query in re.findall(r'"((?:subscription|query|mutation)\b.*?)";?$', block.text, re.M)
                ]
                found += [
                    (path.name, query)
                    for query in re.findall(
                        r'"""\n((?:subscription|query|mutation)\b.*?)"""', block.text, re.S
                    )
                ]
    return found


def test_there_are_operations_of_every_kind():
    documents_found = [document for _, document in operations()]
    assert len(documents_found) >= 20
    for kind in ("query", "mutation", "subscription"):
        assert any(document.startswith(kind) for document in documents_found)


@pytest.mark.parametrize(("where", "document"), operations())
def test_an_operation_fits_the_schema(where, document):
    assert validate(SCHEMA, parse(document)) == []


def test_an_operation_that_does_not_fit_is_noticed():
    assert validate(SCHEMA, parse("{ me { nickname } }"))
    with pytest.raises(GraphQLError):
        parse("query {")


def test_every_block_of_json_is_json():
    for path in documents():
        for block in blocks(path.read_text(encoding="utf-8"), "json"):
            json.loads(block.text)


def test_the_variables_shown_fit_the_input_types():
    variables = next(
        json.loads(block.text) for block in blocks(section(read(PAGE), "Starting an analysis"), "json")
    )
    given = variables["input"]["settings"]
    assert set(variables["input"]) <= set(SCHEMA.type_map["StartAnalysisInput"].fields)
    assert set(given) <= set(SCHEMA.type_map["AnalysisSettingsInput"].fields)
    (spec,) = [spec for spec in CATALOG if spec.name == given["mlModel"]]
    assert set(given["labels"]) <= set(spec.labels)


def test_every_setting_of_an_analysis_is_described():
    listed = [
        name for cells in rows(section(read(PAGE), "Starting an analysis")) for name in code_spans(cells[0])
    ]
    assert sorted(listed) == sorted(SCHEMA.type_map["AnalysisSettingsInput"].fields)
    (trackers,) = [cells[2] for cells in rows(read(PAGE)) if cells[0] == "`tracker`"]
    assert set(code_spans(trackers)) == {tracker.value for tracker in Tracker}


@pytest.mark.parametrize("operation", ["query_type", "mutation_type", "subscription_type"])
def test_every_root_field_is_mentioned(operation):
    text = read(PAGE)
    missing = [name for name in getattr(SCHEMA, operation).fields if not re.search(rf"\b{name}\b", text)]
    # Their descriptions in the schema say all there is to say.
    assert set(missing) <= {"updateMe", "analyses"}


@pytest.mark.parametrize("result_format", ResultFormat)
def test_every_result_format_is_described(result_format):
    name, _ = RESULT_FILES[result_format]
    assert f"`{name}`" in section(read(PAGE), result_format.value)


def test_no_other_result_format_is_described():
    described = set(re.findall(r"^### (\w+)$", section(read(PAGE), "Results"), re.M))
    assert described == {result_format.value for result_format in ResultFormat}
    assert f"`{OVERLAY_FILE}`" in section(read(PAGE), "The overlay")


def test_the_parquet_columns_are_those_of_the_table():
    listed = {
        name: cells[1] for cells in rows(section(read(PAGE), "PARQUET")) for name in code_spans(cells[0])
    }
    columns = [*TRACKED_SCHEMA, *OPTIONAL_FIELDS]
    assert list(listed) == [column.name for column in columns]
    for column in columns:
        assert listed[column.name].split()[0] in str(column.type)


def test_every_error_code_is_listed():
    tables = section(read(PAGE), "Errors")
    listed = {name for cells in rows(tables) for name in code_spans(cells[0])}
    top_level = {
        errors.UNAUTHENTICATED,
        errors.FORBIDDEN,
        errors.BAD_USER_INPUT,
        errors.UNAVAILABLE,
        errors.INTERNAL,
    }
    assert listed == {code.value for code in ErrorCode} | top_level


def test_every_setting_that_is_a_limit_is_in_the_table_of_limits():
    of_work = {"max_attempts", "max_interruptions", "max_slots_per_user"}  # nobody gets an error for these
    limits = {name for name in Settings.model_fields if name.startswith("max_")} - of_work
    limits.add("min_free_bytes")
    fixed = [cells for cells in rows(section(read(PAGE), "Limits")) if "(fixed)" in cells[1]]
    width_and_height = 1  # two settings, one row
    assert len(rows(section(read(PAGE), "Limits"))) == len(limits) - width_and_height + len(fixed)


def test_every_model_of_the_catalogue_is_in_the_notice():
    listed = {name: cells for cells in rows(read("NOTICE.md")) for name in code_spans(cells[0])}
    assert set(listed) == {spec.name for spec in CATALOG}
    for spec in CATALOG:
        assert spec.license in listed[spec.name][2]


def test_the_cost_of_the_example_is_right():
    text = section(read(PAGE), "Cost")
    (example,) = [block.text for block in blocks(text, "graphql")]
    (claimed,) = re.findall(r" = ([0-9]+):$", text, re.M)
    assert compile_cost(SCHEMA, parse(example)).of({}) == int(claimed)
    shown = next(json.loads(block.text) for block in blocks(text, "json"))
    assert shown["extensions"]["cost"]["limit"] == Settings.model_fields["max_query_cost"].default


def test_the_example_of_trusted_documents_is_valid():
    text = section(read(PAGE), "Trusted documents")
    (listed,) = [json.loads(block.text) for block in blocks(text, "json")]
    assert len(TrustedDocuments(listed)) == len(listed)
    for document in listed.values():
        assert validate(SCHEMA, parse(document)) == []
