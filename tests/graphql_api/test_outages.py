"""The application while database, Redis or storage are away: it starts, says so, and works again by itself."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import httpx
import pytest
from tortoise.backends.base.executor import EXECUTOR_CACHE

from domain import outages
from domain.database import migrate
from domain.outages import OutageLog
from graphql_api import errors
from graphql_api.app import create_app
from graphql_api.http import health
from settings import Settings
from tests.graphql_api.full_app import PASSWORD, UPLOAD
from tests.graphql_api.serving import opened, served
from tests.tasks.test_health import Storage

SIGN_UP = """mutation($input: SignUpInput!) { signUp(input: $input) {
  session { accessToken } userErrors { message } } }"""
ME = "{ me { username } }"


@pytest.fixture(autouse=True)
def outage(monkeypatch):
    EXECUTOR_CACHE.clear()  # it holds SQL of the last test's dialect
    fresh = OutageLog("the database")
    for module in (outages, errors, health):
        monkeypatch.setattr(module, "database_outage", fresh)
    return fresh


class Client:
    def __init__(self, app) -> None:
        self.app = app
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
        self.headers = {}

    async def execute(self, query, accept="application/json", **variables):
        content = {"query": query, "variables": variables}
        return await self.http.post("/graphql", json=content, headers={**self.headers, "Accept": accept})

    async def sign_up(self) -> None:
        answer = await self.execute(SIGN_UP, input={"username": "ada", "password": PASSWORD})
        token = answer.json()["data"]["signUp"]["session"]["accessToken"]
        self.headers = {"Authorization": f"Bearer {token}"}

    async def upload(self):
        operations = {"query": UPLOAD, "variables": {"files": [None]}}
        return await self.http.post(
            "/graphql",
            data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.files.0"]})},
            files={"0": ("a.mp4", b"no video")},
            headers=self.headers,
        )

    async def health(self):
        response = await self.http.get("/healthz")
        return response.status_code, response.json()

    async def until(self, **wanted):
        async with asyncio.timeout(60):
            while not wanted.items() <= (await self.health())[1].items():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(**settings):
    app = create_app(Settings(**settings))
    async with app.router.lifespan_context(app):
        client = Client(app)
        try:
            yield client
        finally:
            await client.http.aclose()


async def test_it_starts_without_anything_and_works_when_all_is_there(
    private_postgres,
    private_valkey,
    tmp_path,
    caplog,
):
    await migrate(private_postgres.url)
    private_postgres.kill()
    private_valkey.kill()
    async with running(
        data_dir=tmp_path, database_url=private_postgres.url, redis_url=private_valkey.url
    ) as client:
        status, content = await client.health()
        assert status == 503
        assert content == {
            "status": "unavailable",
            "database": "does not answer",
            "redis": "does not answer",
            "storage": "ok",
            "workers": 0,
        }
        answer = await client.execute(SIGN_UP, input={"username": "ada", "password": PASSWORD})
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        await asyncio.to_thread(private_postgres.start)
        await asyncio.to_thread(private_valkey.start)
        await client.until(status="degraded", database="ok", redis="ok", workers=0)
        assert (await client.health())[0] == 200
        await client.sign_up()
        assert (await client.execute(ME)).json()["data"]["me"]["username"] == "ada"
    assert not [record for record in caplog.records if record.exc_info]


async def test_requests_during_an_outage_get_a_clean_error(private_postgres, tmp_path, caplog):
    await migrate(private_postgres.url)
    async with running(data_dir=tmp_path, database_url=private_postgres.url) as client:
        await client.sign_up()
        private_postgres.kill()
        for accept in ("application/json", "application/graphql-response+json"):
            for _ in range(3):
                answer = await client.execute(ME, accept)
                assert answer.status_code == 200
                (error,) = answer.json()["errors"]
                assert error["extensions"] == {"code": "UNAVAILABLE"}
                assert error["message"] == "The server cannot do this at the moment. Try again later."
        answer = await client.upload()  # refused before its files are read
        assert answer.status_code == 503
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        await asyncio.to_thread(private_postgres.start)
        assert (await client.execute(ME)).json()["data"]["me"]["username"] == "ada"
    assert not [record for record in caplog.records if record.exc_info]
    said = [record.message for record in caplog.records if record.name == "domain.outages"]
    assert len([line for line in said if line.startswith("the database does not answer")]) == 1


async def test_a_socket_that_opens_during_an_outage_is_asked_to_come_again(private_postgres, tmp_path):
    await migrate(private_postgres.url)
    async with running(data_dir=tmp_path, database_url=private_postgres.url) as client:
        await client.sign_up()
        private_postgres.kill()
        async with served(client.app) as url, opened(url) as socket:
            await socket.send({"type": "connection_init", "payload": client.headers})
            code, _reason = await socket.closed()
            assert code == 1013
        await asyncio.to_thread(private_postgres.start)


@pytest.fixture
async def client(tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    async with running(data_dir=tmp_path, database_url=url, min_free_bytes=2**60) as client:
        await client.sign_up()
        yield client


async def test_an_upload_that_would_fill_the_disk_is_refused_with_the_limit(client, caplog):
    answer = await client.upload()
    assert answer.status_code == 507
    (error,) = answer.json()["errors"]
    assert error["message"] == "The server has no room left for this upload. (limit: min_free_bytes)"
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "min_free_bytes"}
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_full_disk_degrades(private_valkey, tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    async with running(
        data_dir=tmp_path, database_url=url, redis_url=private_valkey.url, min_free_bytes=2**60
    ) as client:
        status, content = await client.health()
        assert (status, content["status"]) == (200, "degraded")
        assert content["storage"].startswith("the disk is full: ")


async def test_workers_and_their_problems_are_told(private_valkey, tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    async with running(data_dir=tmp_path, database_url=url, redis_url=private_valkey.url) as client:
        redis = health_redis(private_valkey.url)
        state = {"host": "h", "pid": 1, "slots": 2, "busy": 0, "problem": None}
        await redis.set("framewise:worker:a", json.dumps(state))
        assert await client.health() == (
            200,
            {"status": "ok", "database": "ok", "redis": "ok", "storage": "ok", "workers": 1},
        )
        await redis.set("framewise:worker:b", json.dumps({**state, "problem": "the disk is full"}))
        status, content = await client.health()
        assert (status, content["status"], content["workers"]) == (200, "degraded", 2)
        assert content["problems"] == ["the disk is full"]
        await redis.aclose()


def health_redis(url):
    from tasks.redis_clients import connect_redis

    return connect_redis(url)


async def test_a_valkey_that_hangs_does_not_hold_up_the_answer(private_valkey, tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    async with running(data_dir=tmp_path, database_url=url, redis_url=private_valkey.url) as client:
        await client.until(redis="ok")
        private_valkey.halt()
        try:
            health_answers = asyncio.create_task(client.health())
            await client.sign_up()  # needs no Redis, and the loop is free
            assert (await client.execute(ME)).json()["data"]["me"]["username"] == "ada"
            assert (await health_answers)[1]["redis"] == "does not answer"
        finally:
            private_valkey.go_on()
        await client.until(redis="ok")


async def test_a_storage_that_is_away_at_the_start_is_waited_for(tmp_path, monkeypatch):
    from graphql_api import app
    from storage.errors import StorageConfigurationError, StorageUnavailableError

    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    away = Storage(tmp_path / "files", *[StorageUnavailableError("gone")] * 3, None, 2**40)
    monkeypatch.setattr(app, "create_storage", lambda _url: away)
    monkeypatch.setattr(app, "_PREPARATION_SECONDS", 0.1)
    async with running(data_dir=tmp_path, database_url=url):
        async with asyncio.timeout(60):
            while len(away.answers) > 1:
                await asyncio.sleep(0.05)
    wrong = Storage(tmp_path / "files", StorageConfigurationError("no such bucket"))
    monkeypatch.setattr(app, "create_storage", lambda _url: wrong)
    with pytest.raises(StorageConfigurationError, match="no such bucket"):
        async with running(data_dir=tmp_path, database_url=url):
            pass


async def test_a_locked_database_is_no_fault_of_ours(tmp_path, caplog):
    import sqlite3

    path = tmp_path / "test.sqlite3"
    await migrate(f"sqlite://{path}")
    async with running(data_dir=tmp_path, database_url=f"sqlite://{path}?busy_timeout=50") as client:
        await client.sign_up()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        answer = await client.execute(SIGN_UP, input={"username": "grace", "password": PASSWORD})
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        other.execute("ROLLBACK")
        other.close()
        answer = await client.execute(SIGN_UP, input={"username": "grace", "password": PASSWORD})
        assert answer.json()["data"]["signUp"]["userErrors"] == []
    assert not [record for record in caplog.records if record.exc_info and record.levelno >= logging.WARNING]
