"""GraphQL over HTTP: what comes in malformed, what goes out wrong, and what shows of it."""

import logging

import pytest

from settings import Settings
from tests.graphql_api.serving import Api, make_app

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def api(tmp_path):
    settings = Settings(data_dir=tmp_path, max_graphql_body_bytes=10_000)
    return Api(make_app(settings, tmp_path / "graphiql.html"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"1",
        b"null",
        b'"x"',
        b"[]",
        b"[{}]",
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "{ me { id } }", "variables": []}',
        b'{"query": "{ me { id } }", "variables": "x"}',
        b'{"query": "{ me { id } }", "operationName": 1}',
        b'{"query": "{ me { id } }", "extensions": 1}',
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": "{ echo(text: \\"\\ud800\\") { text } }"}',
        b"[" * 5000,
        b'{"query": "{ me { id } }", "variables": {"a": NaN}}',
        b'{"query": "{ me { id } }", "variables": {"a": "\\u0000"}}',
        b'{"query": "{ me { id } }", "variables": {"a": [{"b": "\\ud800"}]}}',
        b'{"query": "{ echo(text: \\"\\\\u0000\\") { text } }"}',
        b'{"query": "{ me { id } }", "operationName": "x"}',
    ],
)
async def test_malformed_bodies_are_the_clients_mistake(api, body, caplog):
    response = await api.http.post("/graphql", content=body, headers=JSON)
    assert response.status_code == 400, response.text
    error = response.json()["errors"][0]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"]
    assert not caplog.records


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "query($a: Nope) { me { id } }",
        '{ echo(big: "x") { big } }',
        "mutation { signIn }",
        "{ users(first: true) { edges { cursor } } }",
        "query($a: Int!) { users(first: $a) { edges { cursor } } }",
        "query A { me { id } } query A { me { id } }",
        "{ me { id }",
    ],
)
async def test_mistakes_in_a_document_are_not_logged(api, query, caplog):
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        response = await api.http.post("/graphql", json={"query": query}, headers={"Accept": accept})
        assert (response.status_code, response.headers["content-type"]) == (
            status,
            f"{accept}; charset=utf-8",
        )
        content = response.json()
        assert "data" not in content
        assert {error["extensions"]["code"] for error in content["errors"]} == {"BAD_USER_INPUT"}
    assert not caplog.records


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json, application/graphql-response+json;q=0.5", "application/json"),
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        (
            "application/graphql-response+json; charset=utf-8, application/json",
            "application/graphql-response+json",
        ),
        ("application/graphql-response+json;q=0, application/json", "application/json"),
        ("application/graphql-response+json;q=0, */*", "application/json"),
        ("application/json;q=0, */*", "application/graphql-response+json"),
        ("application/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/graphql-response+json;q=.", "application/graphql-response+json"),
    ],
)
async def test_media_types(api, accept, answered):
    response = await api.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": accept})
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_unexpected_exceptions_are_masked_and_logged_under_an_id(api, caplog):
    for query, path in (
        ("{ broken }", "broken"),
        ("mutation { breakIt { userErrors { code } } }", "breakIt"),
    ):
        caplog.clear()
        response = await api.http.post("/graphql", json={"query": query})
        assert response.status_code == 200
        (error,) = response.json()["errors"]
        assert "hunter2" not in response.text
        assert (error["message"], error["path"]) == ("Internal error", [path])
        assert error["extensions"]["code"] == "INTERNAL"
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert error["extensions"]["errorId"] in record.getMessage()
        assert "hunter2" in str(record.exc_info[1])
        assert record.exc_info[2] is not None


async def test_an_exception_outside_of_execution_is_masked_too(api, caplog, monkeypatch):
    async def fails(*arguments, **options):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(api.app.state.endpoint.schema, "execute", fails)
    response = await api.http.post("/graphql", json={"query": "{ me { id } }"})
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["errorId"] in caplog.text
    assert "hunter2" not in response.text


async def test_refusals_of_use_cases(api, caplog):
    answer = await api("{ full secretId }")
    shown = [(error["path"], error["extensions"]) for error in answer["errors"]]
    assert sorted(shown) == [
        (["full"], {"code": "LIMIT_EXCEEDED", "limit": "max_things"}),
        (["secretId"], {"code": "UNAUTHENTICATED"}),
    ]
    answer = await api('mutation { refuse(files: ["a", "b"]) { userErrors { code path } } }')
    assert answer == {
        "data": {"refuse": {"userErrors": [{"code": "CONFLICT", "path": ["files", "1", "displayName"]}]}}
    }
    assert not caplog.records


async def test_get_takes_queries_only(api):
    async def get(query, **more):
        return await api.http.get("/graphql", params={"query": query, **more})

    assert (await get("{ __typename }")).json() == {"data": {"__typename": "Query"}}
    query = "query A($t: String) { echo(text: $t) { text } } query B { __typename }"
    asked = await get(query, variables='{"t": "x"}', operationName="A")
    assert asked.json() == {"data": {"echo": {"text": "x"}}}
    refused = await get("mutation { refuse(files: []) { userErrors { code } } }")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert "mutations" in refused.json()["errors"][0]["message"]
    for more in ({"variables": "{"}, {"variables": "[]"}, {"variables": "1"}, {"extensions": "x"}):
        assert (await get("{ __typename }", **more)).status_code == 400
    assert (await api.http.get("/graphql")).status_code == 400


async def test_subscriptions_need_a_socket(api, caplog):
    for response in (
        await api.http.post("/graphql", json={"query": "subscription { two }"}),
        await api.http.get("/graphql", params={"query": "subscription { two }"}),
    ):
        assert response.status_code in (400, 405)
        assert "ubscriptions" in response.json()["errors"][0]["message"]
    assert not caplog.records


async def test_other_methods_and_types(api):
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await api.http.request(method, "/graphql")).status_code == 405
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        response = await api.http.post("/graphql", content=b"{}", headers={"Content-Type": content_type})
        assert response.status_code == 415, content_type
    charset = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = await api.http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=charset)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_a_body_over_the_limit_is_not_read_to_its_end(api):
    read = []

    async def body():
        for number in range(1000):
            read.append(number)
            yield b" " * 1000

    response = await api.http.post("/graphql", content=body(), headers=JSON)
    assert response.status_code == 413
    assert len(read) < 20
    assert response.json()["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limit": "max_graphql_body_bytes",
    }  # fmt: skip


async def test_an_upload_without_a_sign_in_is_refused_unread(api):
    read = []

    async def body():
        read.append(1)
        yield b"--x"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await api.http.post("/graphql", content=body(), headers=headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert not read
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_a_browser_gets_graphiql(api, tmp_path):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    missing = await api.http.get("/graphql", headers=browser)
    assert missing.status_code == 200
    assert "npm run build" in missing.text
    (tmp_path / "graphiql.html").write_text("<title>GraphiQL</title>")
    built = await api.http.get("/graphql", headers=browser)
    assert (built.text, built.headers["content-type"]) == (
        "<title>GraphiQL</title>",
        "text/html; charset=utf-8",
    )
    asked = await api.http.get("/graphql", params={"query": "{ __typename }"}, headers=browser)
    assert asked.json() == {"data": {"__typename": "Query"}}


MANY = "mutation A { breakIt { userErrors { code } } } query B { __typename }"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_one_of_several_operations_is_chosen_by_name_only(api, method, caplog):
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        asked = {"params": {"query": MANY}} if method == "GET" else {"json": {"query": MANY}}
        response = await api.http.request(method, "/graphql", headers={"Accept": accept}, **asked)
        assert response.status_code == status
        assert response.json() == {
            "errors": [
                {
                    "message": "Must provide operation name if query contains multiple operations.",
                    "extensions": {"code": "BAD_USER_INPUT"},
                }
            ]
        }
    chosen = {"query": MANY, "operationName": "B"}
    assert (await api.http.post("/graphql", json=chosen)).json() == {"data": {"__typename": "Query"}}
    assert not caplog.records


async def test_a_document_without_operations_is_a_mistake_like_others(api):
    response = await api.http.post("/graphql", json={"query": "extend type Query { foo: Int }"})
    assert response.status_code == 200
    assert "not executable" in response.json()["errors"][0]["message"]
