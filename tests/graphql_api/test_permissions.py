"""The permission matrix: every field of the schema for nobody, another user, an expired and an ended sign-in."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from graphql import build_schema
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.transactions import in_transaction

from domain.accounts import service, sessions
from domain.accounts.models import User
from domain.accounts.tokens import issue_access_token
from domain.database import migrate
from domain.events import EventKind, record_event
from graphql_api.app import create_app
from graphql_api.schema import export_schema
from settings import Settings
from storage.local import LocalStorage
from tests.graphql_api.permission_table import ARGUMENTS, FIELDS, NEVER_IN_TEST, ROOTS, Open, Other, Seen
from tests.graphql_api.possessions import Possessions, give_everything
from tests.graphql_api.selections import Selections, object_fields, reached, root_fields
from tests.graphql_api.serving import Socket, opened, served

SCHEMA = build_schema(export_schema())
SELECTIONS = Selections(SCHEMA, ARGUMENTS)

OWNER_PASSWORD, OTHER_PASSWORD = "correct horse", "battery staple"
CURSORS = {
    "videos": "Query.videos",
    "analyses": "Query.analyses",
    "events": "Query.events",
    "audit": "Query.auditLog",
    "uploads": "Query.uploads",
    "people": "Query.people",
}
VOLATILE = re.compile(r'"\w+_(?:\w*[uU]rl|etaSeconds|framesPerSecond)": ("[^"]*"|[0-9.]+|null)')


@dataclass(frozen=True)
class Stage:
    """A server with an owner and another user who has as much."""

    url: str
    http: httpx.AsyncClient
    owner: Possessions
    users: dict[str, User]
    tokens: dict[str, str | None]
    names: dict[str, str]

    def secrets(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.owner.secrets())))

    def operations(self, *kinds: str) -> list[tuple[str, str]]:
        """Each root field of these kinds, as often as the table has arguments for it, and its document."""
        found = []
        for root, entry in ROOTS.items():
            kind, _, name = root.partition(".")
            if kind in kinds:
                for arguments in entry.arguments:
                    document = f"{kind.lower()} {{ {name}{arguments} {SELECTIONS.of_root(root)} }}"
                    found.append((root, re.sub(r"<(\w+)>", self._quoted_name, document)))
        return found

    def _quoted_name(self, match: re.Match[str]) -> str:
        return json.dumps(self.names[match[1]])

    async def ask(self, who: str, document: str) -> dict:
        token = self.tokens[who]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = await self.http.post("/graphql", json={"query": document}, headers=headers)
        assert response.status_code in (200, 401), response.text
        return response.json()

    async def stir(self) -> None:
        """Let something happen to both."""
        for user in self.users.values():
            async with in_transaction() as connection:
                await record_event(connection, user.id, EventKind.VIDEO_READY, message=user.username)


@pytest.fixture
async def stage(tmp_path, private_valkey):
    async with _staged(tmp_path, private_valkey.url) as made:
        yield made


@asynccontextmanager
async def _staged(directory, redis_url) -> AsyncIterator[Stage]:
    EXECUTOR_CACHE.clear()
    settings = Settings(
        data_dir=directory,
        redis_url=redis_url,
        public_url="http://testserver",
        face_embedding_model="sface",
        # Its documents ask for everything at once.
        max_query_aliases=10_000,
        max_query_cost=10**9,
        max_query_depth=50,
        max_query_tokens=10**6,
    )
    await migrate(settings.resolved_database_url())
    app = create_app(settings)
    async with app.router.lifespan_context(app), served(app) as url:
        storage = LocalStorage(directory / "files")
        secret = (directory / "secret").read_bytes()
        accounts = sessions.AccountSettings(secret, 900, 3600)
        owner = await service.sign_up(
            accounts, "canary-owner", OWNER_PASSWORD, "canary@example.org", "canary the owner"
        )
        other = await service.sign_up(
            accounts, "magpie-other", OTHER_PASSWORD, "magpie@example.org", "magpie the other"
        )
        revoked = await service.sign_in(accounts, "canary-owner", OWNER_PASSWORD)
        await sessions.sign_out(revoked.refresh_token)
        expired = issue_access_token(
            secret, user_id=owner.user.id, session_id=owner.session_id, lifetime_seconds=-60
        )
        owned = await give_everything(owner.user, storage, "canary", "192.0.2.77")
        await give_everything(other.user, storage, "magpie", "192.0.2.88")
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
        stage = Stage(
            url,
            http,
            owned,
            {"owner": owner.user, "other": other.user},
            {
                "owner": owner.access_token.token,
                "other": other.access_token.token,
                "nobody": None,
                "expired": expired.token,
                "revoked": revoked.access_token.token,
            },
            {"username": "canary-owner", "password": OWNER_PASSWORD, **vars(owned)},
        )
        for name, root in CURSORS.items():
            field = root.partition(".")[2]
            answer = await stage.ask("owner", f"{{ {field}(first: 1) {{ edges {{ cursor }} }} }}")
            stage.names[f"{name}_cursor"] = answer["data"][field]["edges"][0]["cursor"]
        try:
            yield stage
        finally:
            await http.aclose()


def test_every_field_has_an_entry():
    listed = {name: set(fields.split()) for name, (_, fields) in FIELDS.items()}
    assert object_fields(SCHEMA) == listed, "say in permission_table.FIELDS who may see it"
    assert root_fields(SCHEMA) == set(ROOTS), "say in permission_table.ROOTS who may use it, and try it there"


async def test_the_owner_sees_every_field(stage):
    """Else the other tests would show nothing."""
    seen: set[str] = set()
    for root, document in stage.operations("Query"):
        answer = await stage.ask("owner", document)
        assert "errors" not in answer, (root, answer["errors"])
        if not root.endswith(("mlModels", "searchPeople")):  # about nobody, and of a file that is none
            assert stage.secrets().search(json.dumps(answer)), root
        seen.update(reached(answer["data"]))
    async with _socket(stage, "owner") as ask:
        for root, document in stage.operations("Subscription"):
            for frame in await ask(document):
                assert frame["type"] == "next", (root, frame)
                seen.update(reached(frame["payload"]["data"]))
    wanted = {
        f"{name}.{field}"
        for name, (who, fields) in FIELDS.items()
        for field in fields.split()
        if who is not Seen.PAYLOAD
    }
    assert wanted - seen - NEVER_IN_TEST == set(), (
        "let tests/graphql_api/possessions.py make one with a value"
    )


async def test_another_user_gets_nothing_of_it(stage):
    before = await _state(stage)
    for root, document in stage.operations("Query", "Mutation"):
        answer = await stage.ask("other", document)
        _check_other(stage, root, answer)
    async with _socket(stage, "other") as ask:
        for root, document in stage.operations("Query", "Mutation", "Subscription"):
            for frame in await ask(document):
                payload = frame["payload"]
                _check_other(stage, root, payload if frame["type"] == "next" else {"errors": payload})
    assert await _state(stage) == before


async def test_who_is_not_signed_in_gets_nothing(stage):
    before = await _state(stage)
    for who in ("nobody", "expired", "revoked"):
        for root, document in stage.operations("Query", "Mutation"):
            _check_stranger(stage, root, await stage.ask(who, document), has_token=who != "nobody")
    async with _socket(stage, "nobody") as ask:
        for root, document in stage.operations("Query", "Mutation", "Subscription"):
            for frame in await ask(document):
                payload = frame["payload"]
                answer = payload if frame["type"] == "next" else {"errors": payload}
                _check_stranger(stage, root, answer, has_token=False)
    for who in ("expired", "revoked"):
        async with opened(stage.url) as socket:
            payload = {"Authorization": f"Bearer {stage.tokens[who]}"}
            await socket.send({"type": "connection_init", "payload": payload})
            assert (await socket.closed())[0] == 4403
    assert await _state(stage) == before


def _check_other(stage: Stage, root: str, answer: dict) -> None:
    text, name, wanted = json.dumps(answer), root.partition(".")[2], ROOTS[root].other
    leaked = stage.secrets().search(text)
    assert leaked is None, (root, leaked)
    if wanted is Other.OWN:
        return
    value = (answer.get("data") or {}).get(name)
    if wanted is Other.NULL:
        assert (value, "errors" in answer) == (None, False), (root, answer)
        return
    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
    if value is not None:
        codes |= {error["UserError_code"] for error in _user_errors(value)}
        assert not [
            key for key, one in value.items() if one and key != "__typename" and "userErrors" not in key
        ]
    assert codes == {wanted.name}, (root, answer)


def _user_errors(payload: dict) -> list[dict]:
    return next(value for key, value in payload.items() if key.endswith("_userErrors"))


def _check_stranger(stage: Stage, root: str, answer: dict, *, has_token: bool) -> None:
    entry, name = ROOTS[root], root.partition(".")[2]
    leaked = stage.secrets().search(json.dumps(answer))
    assert leaked is None, (root, leaked)
    if entry.open is Open.YES:
        return
    assert not (answer.get("data") or {}).get(name), (root, answer)
    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
    is_silent = entry.open is Open.NULL and not has_token
    assert codes == (set() if is_silent else {"UNAUTHENTICATED"}), (root, answer)


async def _state(stage: Stage) -> str:
    """All that the owner has; not the logs, in which attempts to sign in, and `Stage.stir`, are noted."""
    answers = [
        await stage.ask("owner", document)
        for root, document in stage.operations("Query")
        if root not in ("Query.auditLog", "Query.events")
    ]
    return VOLATILE.sub("", json.dumps(answers))


@asynccontextmanager
async def _socket(stage: Stage, who: str):
    """Gives a function that runs an operation and answers with its frames, of a subscription the first."""
    token, numbers = stage.tokens[who], itertools.count()
    async with opened(stage.url) as socket:
        await socket.init({} if token is None else {"Authorization": f"Bearer {token}"})

        async def ask(document: str) -> list[dict]:
            operation_id = str(next(numbers))
            await socket.subscribe(document, operation_id)
            is_live = document.startswith("subscription { events {")
            return await _frames(socket, stage, operation_id, is_live)

        yield ask


async def _frames(socket: Socket, stage: Stage, operation_id: str, is_live: bool) -> list[dict]:
    """The frames of a query, or the first of a subscription; things happen while nothing comes."""
    async with asyncio.timeout(60):
        while True:
            receive = asyncio.create_task(socket.receive())
            while is_live and not (await asyncio.wait({receive}, timeout=0.2))[0]:
                await stage.stir()
            frame = await receive
            if frame.get("id") != operation_id:
                continue  # the last words of an earlier one
            if frame["type"] == "complete":
                return []
            await socket.send({"type": "complete", "id": operation_id})
            return [frame]
