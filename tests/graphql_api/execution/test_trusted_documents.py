"""A server that executes only documents that it knows."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from graphql_api.execution.trusted_documents import (
    TrustedDocuments,
    TrustedDocumentsError,
    load_trusted_documents,
)
from graphql_api.schema import make_schema
from settings import Settings
from tests.graphql_api.serving import Api, make_app, opened, served

DOCUMENT = "query Who($text: String) { echo(text: $text) { text } }"
HASH = hashlib.sha256(DOCUMENT.encode()).hexdigest()
COUNT = "subscription { two }"


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


@pytest.fixture
def api(settings, tmp_path):
    app = make_app(settings, tmp_path / "graphiql.html")
    app.state.endpoint.schema.trusted_documents = TrustedDocuments({"who": DOCUMENT, "count": COUNT})
    return Api(app)


@pytest.fixture
def open_api(settings, tmp_path):
    return Api(make_app(settings, tmp_path / "graphiql.html"))


WAYS = [
    {"query": DOCUMENT},
    {"documentId": HASH},
    {"documentId": f"sha256:{HASH}"},
    {"documentId": "who"},
    {"id": "who"},
    {"id": HASH, "query": None},
    {"query": "", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}},
]


@pytest.mark.parametrize("fields", WAYS)
async def test_a_known_document_is_executed(api, fields):
    for _ in range(3):
        response = await api.http.post("/graphql", json={**fields, "variables": {"text": "x"}})
        assert response.json() == {"data": {"echo": {"text": "x"}}}


async def test_a_known_document_is_executed_by_get(api):
    persisted = json.dumps({"persistedQuery": {"version": 1, "sha256Hash": HASH}})
    for parameters in ({"documentId": "who"}, {"id": HASH}, {"extensions": persisted}):
        response = await api.http.get("/graphql", params={**parameters, "variables": '{"text": "x"}'})
        assert response.json() == {"data": {"echo": {"text": "x"}}}


@pytest.mark.parametrize(
    "fields",
    [
        {"query": "{ __typename }"},
        {"query": DOCUMENT + " "},
        {"query": "{ __typename }", "documentId": "who"},
        {"documentId": "whoever"},
        {"documentId": "0" * 64},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
    ],
)
async def test_another_document_is_refused(api, fields):
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        response = await api.http.post("/graphql", json=fields, headers={"Accept": accept})
        assert response.status_code == status
        (error,) = response.json()["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}
        assert "trusted_documents" in error["message"]


@pytest.mark.parametrize("fields", WAYS[1:])
async def test_a_server_without_a_list_keeps_no_documents(open_api, fields):
    sent = {"query": DOCUMENT, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}
    assert "errors" not in (await open_api.http.post("/graphql", json=sent)).json()
    response = await open_api.http.post("/graphql", json=fields)
    (error,) = response.json()["errors"]
    assert "send the whole document" in error["message"]


async def test_the_list_holds_for_sockets_too(api):
    async with served(api.app) as url, opened(url) as socket:
        await socket.init()
        await socket.send({"type": "subscribe", "id": "1", "payload": {"documentId": "count"}})
        assert (await socket.receive())["payload"]["data"] == {"two": 1}
        assert (await socket.receive())["payload"]["data"] == {"two": 2}
        assert (await socket.receive())["type"] == "complete"
        await socket.send({"type": "subscribe", "id": "2", "payload": {"query": COUNT + " # other"}})
        refused = await socket.receive()
        assert (refused["type"], refused["id"]) == ("error", "2")
        assert "trusted_documents" in refused["payload"][0]["message"]


def test_a_file_by_name_and_by_hash(tmp_path):
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({"who": DOCUMENT, f"sha256:{HASH}": DOCUMENT, "count": COUNT}))
    documents = load_trusted_documents(path)
    assert len(documents) == 2
    assert documents.find("who") == documents.find(HASH) == documents.find(f"sha256:{HASH}") == DOCUMENT
    assert documents.find("nothing") is None
    assert load_trusted_documents(None) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"who": 1}', "must be an object"),
        (json.dumps({"0" * 64: DOCUMENT}), f"has the hash {HASH}"),
        (json.dumps({"sha256:" + "0" * 64: DOCUMENT}), f"has the hash {HASH}"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(tmp_path, content, message):
    path = tmp_path / "documents.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TrustedDocumentsError, match=message):
        load_trusted_documents(path)


def test_a_wrong_file_ends_the_start_with_a_sentence(tmp_path):
    path = tmp_path / "documents.json"
    path.write_text('{"who": "{ nobody }"}')
    finished = subprocess.run(
        [sys.executable, "-m", "cli", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        env=os.environ | {"FRAMEWISE_TRUSTED_DOCUMENTS": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 2
    assert finished.stderr.startswith("Error: The trusted document 'who' cannot be executed: Cannot query")
    assert "Traceback" not in finished.stderr


DEEP = "{" + "a {" * 20 + "a" + "}" * 21


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        ("query {", "Syntax Error"),
        ("{ nothing }", "Cannot query field 'nothing'"),
        (DEEP, "limit: max_query_depth"),
    ],
)
def test_a_document_that_cannot_be_executed_is_told(document, mistake):
    documents = TrustedDocuments({"good": "{ me { id } }", "bad": document})
    with pytest.raises(TrustedDocumentsError, match=f"'bad' cannot be executed: .*{mistake}"):
        make_schema(trusted_documents=documents).check_trusted_documents()
    make_schema(trusted_documents=TrustedDocuments({"good": "{ me { id } }"})).check_trusted_documents()


async def test_several_operations_in_a_known_document_need_a_name():
    schema = make_schema(
        trusted_documents=TrustedDocuments({"two": "query A { a: __typename } query B { b: __typename }"})
    )
    [error] = (await schema.execute("#document:two")).errors
    assert error.message == "Must provide operation name if query contains multiple operations."
    assert (await schema.execute("#document:two", operation_name="B")).data == {"b": "Query"}


async def test_the_limits_hold_for_known_documents_too():
    schema = make_schema(trusted_documents=TrustedDocuments({"deep": DEEP}))
    result = await schema.execute("#document:deep")
    assert result.errors[0].extensions["limit"] == "max_query_depth"
