"""The security headers of every route, and what pages of other origins may do."""

import re
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from tortoise.backends.base.executor import EXECUTOR_CACHE

from domain.database import migrate
from graphql_api.app import create_app
from graphql_api.http.headers import CONTENT_SECURITY_POLICY
from graphql_api.http.static_files import BuiltFiles
from settings import Settings

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
FILES_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PAGE = "https://page.example"


@pytest.fixture
def make(tmp_path, private_valkey):
    @asynccontextmanager
    async def made(base_url="http://testserver", **changes):
        EXECUTOR_CACHE.clear()
        settings = Settings(data_dir=tmp_path, redis_url=private_valkey.url, **changes)
        await migrate(settings.resolved_database_url())
        app = create_app(settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url) as http,
        ):
            yield app, http

    return made


def _addresses(app):
    """An address of each route, whatever its parameters are, and one of none."""
    for route in app.routes:
        if isinstance(route, Mount):
            yield f"{route.path}/nothing.js"
        elif isinstance(route, Route):
            yield re.sub(r"{[^}]*}", "x", route.path)
        else:
            assert isinstance(route, WebSocketRoute)
    yield "/nothing-here"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_answer_of_every_route_has_them(make, scheme):
    async with make(f"{scheme}://testserver") as (app, http):
        addresses = list(_addresses(app))
        assert {"/graphql", "/healthz", "/files/x", "/uploads/x"} <= set(addresses)
        for address in addresses:
            for method in METHODS:
                for accept in ("*/*", "text/html"):
                    answer = await http.request(method, address, headers={"Accept": accept})
                    told = (method, address, answer.status_code)
                    headers = answer.headers
                    assert answer.status_code < 500, told
                    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS, told
                    assert headers["content-security-policy"] in (CONTENT_SECURITY_POLICY, FILES_POLICY), told
                    assert "camera=()" in headers["permissions-policy"], told
                    assert headers["cross-origin-resource-policy"] in ("same-origin", "cross-origin"), told
                    assert ("strict-transport-security" in headers) is (scheme == "https"), told
                    if not address.startswith("/static"):
                        assert headers["cache-control"] in ("no-store", "private, no-cache"), told
                    assert "server-error" not in answer.text
                    assert "set-cookie" not in headers, told
                    assert "access-control-allow-origin" not in headers, told


async def test_answers_with_data_are_stored_nowhere(make):
    async with make() as (_, http):
        for answer in (
            await http.post("/graphql", json={"query": "{ __typename }"}),
            await http.get("/graphql", params={"query": "{ __typename }"}),
            await http.post("/graphql", json={"query": "{"}),
        ):
            assert answer.headers["cache-control"] == "no-store"


def _preflight(origin, method="PATCH"):
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-framewise-session,tus-resumable,upload-offset,content-type",
    }


async def test_pages_of_other_origins_may_nothing_without_the_setting(make):
    async with make() as (_, http):
        for headers in (_preflight(PAGE), {"Origin": PAGE}):
            answer = await http.options("/graphql", headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_an_allowed_page_may_use_the_api_and_cookies(make):
    async with make(allowed_origins=PAGE) as (_, http):
        preflight = await http.options("/uploads/x", headers=_preflight(PAGE))
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert preflight.headers["access-control-allow-credentials"] == "true"
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        shown = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"location", "upload-offset", "tus-resumable", "retry-after"} <= shown
        for other in ("https://other.example", "https://page.example.evil", "http://page.example", "null"):
            refused = await http.options("/uploads/x", headers=_preflight(other))
            assert refused.status_code == 400
            assert "access-control-allow-origin" not in refused.headers
            answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": other})
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        ("assets/graphiql-CTn5h_gA.js", True),
        ("assets/monaco-editor-BQ0iq-Iu.js", True),
        ("assets/robots.txt", False),
        ("graphiql-CTn5hrgA.js", False),
        ("graphiql.html", False),
    ],
)
async def test_browsers_keep_what_has_a_hash_in_its_name(tmp_path, path, is_kept):
    (tmp_path / "assets").mkdir()
    (tmp_path / path).write_text("x")
    app = Starlette(routes=[Mount("/static", BuiltFiles(directory=tmp_path))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as http:
        answer = await http.get(f"/static/{path}")
        assert answer.status_code == 200
        kept = "public, max-age=31536000, immutable" if is_kept else None
        assert answer.headers.get("cache-control") == kept
        again = await http.get(f"/static/{path}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers.get("cache-control")) == (304, kept)
