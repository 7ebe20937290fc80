"""What gives access is in no log, whatever goes wrong, at the level that says most."""

import base64
import json
import logging
import re
import sqlite3

import httpx
import pytest
import websockets

from cli.logs import LineFormatter, configure_logging, without_secrets
from tests.cli.api_process import api_server

PASSWORDS = ("hunter2-first", "hunter2-second", "hunter2-wrong", "hunter2-inline", "hunter2-typed-as-name")
SESSION = "session { accessToken refreshToken } userErrors { message }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ {SESSION} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation($refresh: String) {{ refreshSession(refreshToken: $refresh) {{ {SESSION} }} }}"
SIGN_OUT = "mutation($refresh: String) { signOut(refreshToken: $refresh) { userErrors { message } } }"
CHANGE = (
    """mutation($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { message } } }"""
)
UPLOAD = "mutation($files: [Upload!]!) { uploadVideos(files: $files) { videos { id url } } }"
DELETE = "mutation($password: String!) { deleteAccount(password: $password) { userErrors { message } } }"
FORGED = "a\nERROR framewise: forged\r\nERROR framewise: forged.mp4"
COOKIES = {"X-Framewise-Session": "cookie"}


class Visitor:
    """Sends requests, and remembers what must stay secret."""

    def __init__(self, url):
        self.http = httpx.AsyncClient(base_url=url, timeout=60)
        self.secrets = set(PASSWORDS)

    async def ask(self, query, token=None, headers=(), **variables):
        given = dict(headers) | ({} if token is None else {"Authorization": f"Bearer {token}"})
        response = await self.http.post(
            "/graphql", json={"query": query, "variables": variables}, headers=given
        )
        for cookie in self.http.cookies.jar:
            self.secrets.add(cookie.value)
        return response.json()

    async def session(self, query, token=None, **variables):
        answer = await self.ask(query, token, **variables)
        assert "errors" not in answer, answer
        (payload,) = answer["data"].values()
        assert payload["session"], answer
        self.secrets |= {payload["session"]["accessToken"], payload["session"]["refreshToken"]}
        return payload["session"]


async def _accounts(visitor):
    """Everything that a password or a token is sent for."""
    name = {"username": "ada"}
    first = await visitor.session(SIGN_UP, input={**name, "password": PASSWORDS[0]})
    change = {"currentPassword": PASSWORDS[0], "newPassword": PASSWORDS[1]}
    await visitor.ask(CHANGE, first["accessToken"], input=change)
    second = await visitor.session(SIGN_IN, input={**name, "password": PASSWORDS[1]})
    third = await visitor.session(REFRESH, refresh=second["refreshToken"])
    await visitor.ask(REFRESH, refresh=second["refreshToken"])
    await visitor.ask(SIGN_OUT, refresh=third["refreshToken"])
    await visitor.ask("{ videos { edges { cursor } } }", third["accessToken"])
    for wrong in ({**name, "password": PASSWORDS[2]}, {"username": PASSWORDS[4], "password": "x"}):
        await visitor.ask(SIGN_IN, input=wrong)
    own = COOKIES | {"Origin": str(visitor.http.base_url).rstrip("/")}
    await visitor.ask(SIGN_IN, headers=own, input={**name, "password": PASSWORDS[1]})
    await visitor.ask("mutation { refreshSession { userErrors { message } } }", headers=own)
    await visitor.ask("{ me { id } }", headers=own)
    return await visitor.session(SIGN_IN, input={**name, "password": PASSWORDS[1]})


async def _mistakes(visitor, token):
    """Requests that are wrong, each with a secret in it."""
    inline = f'mutation {{ signIn(input: {{username: "ada", password: "{PASSWORDS[3]}"}}) {{ {SESSION} }} }}'
    await visitor.ask(inline)
    await visitor.ask(inline.replace("signIn(", "signInn("))
    await visitor.ask(inline[:-3])
    await visitor.ask(SIGN_IN, input={"username": "ada", "password": [PASSWORDS[2]], "more": PASSWORDS[1]})
    await visitor.http.get("/graphql", params={"query": inline, "token": token})
    await visitor.http.get(f"/{'x' * 10}", params={"access_token": token})
    for body in (f'{{"password": "{PASSWORDS[2]}"', f'"{token}"', b"\xff" + PASSWORDS[0].encode()):
        await visitor.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    for header in (f"Basic {PASSWORDS[0]}", f"Bearer {token}x", f"bearer  {token} {token}"):
        await visitor.http.post(
            "/graphql", json={"query": "{ me { id } }"}, headers={"Authorization": header}
        )


async def _uploads(visitor, token):
    """A file that nobody can play, with a name that looks like lines of a log; its link, whole and damaged."""
    operations = {"query": UPLOAD, "variables": {"files": [None]}}
    response = await visitor.http.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.files.0"]})},
        files={"0": (FORGED, b"no video")},
        headers={"Authorization": f"Bearer {token}"},
    )
    (video,) = response.json()["data"]["uploadVideos"]["videos"]
    signature = re.search("signature=([^&]+)", video["url"])[1]
    visitor.secrets.add(signature)
    for url in (video["url"], video["url"] + "x", video["url"].replace("expires=", "expires=9")):
        await visitor.http.get(url)


async def _resumable(visitor, token):
    """An upload by tus, of the kind whose URL is enough to write to it."""
    create = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } } }"
    answer = await visitor.ask(create, token, input={"filename": FORGED, "sizeBytes": 6})
    url = answer["data"]["createUpload"]["upload"]["url"]
    visitor.secrets.add(url.rpartition("/")[2])
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    for offset, data in ((0, b"abc"), (1, b"x"), (3, b"def")):
        await visitor.http.patch(url, content=data, headers=tus | {"Upload-Offset": str(offset)})
    for method in ("HEAD", "DELETE", "GET"):
        await visitor.http.request(method, url, headers=tus)
    await visitor.http.head(url + "x", headers=tus)


async def _sockets(visitor, url, token):
    payload = {"Authorization": f"Bearer {token}"}
    for given, origin in ((payload, None), ({"token": token + "x"}, "http://evil.example")):
        async with websockets.connect(
            f"{url}?token={token}", subprotocols=["graphql-transport-ws"], origin=origin
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": given}))
            await socket.recv() if origin is None else await socket.wait_closed()


async def _faults(visitor, token, database):
    """Real faults, with passwords and tokens in what is asked."""
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE refresh_tokens")
        connection.execute("ALTER TABLE users RENAME COLUMN password_hash TO lost")
    for query, variables in (
        (SIGN_IN, {"input": {"username": "ada", "password": PASSWORDS[1]}}),
        (SIGN_UP, {"input": {"username": "bob", "password": PASSWORDS[1]}}),
        (REFRESH, {"refresh": "made up"}),
        (DELETE, {"password": PASSWORDS[1]}),
    ):
        answer = await visitor.ask(query, token, **variables)
        assert answer["errors"][0]["extensions"]["code"] in ("INTERNAL", "UNAVAILABLE"), answer


async def test_nothing_secret_is_in_any_log(tmp_path, private_valkey):
    async with api_server(tmp_path, private_valkey.url, log_level="DEBUG") as server:
        await server.start()
        visitor = Visitor(server.url)
        async with visitor.http:
            session = await _accounts(visitor)
            await _mistakes(visitor, session["accessToken"])
            await _uploads(visitor, session["accessToken"])
            await _resumable(visitor, session["accessToken"])
            await _sockets(visitor, server.socket_url, session["accessToken"])
            await _faults(visitor, session["accessToken"], server.data_dir / "framewise.sqlite3")
        secret = (server.data_dir / "secret").read_bytes()
        visitor.secrets |= {secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1]}
        logs = [path for path in server.data_dir.rglob("*log*") if path.is_file()]
        said = "".join(path.read_text(errors="replace") for path in logs)
    assert "GET /files/" in said, "the access log is on"
    assert "PATCH /uploads/" in said
    assert "Internal error" in said, "faults are told"
    assert '"kind": "SIGN_IN_FAILED"' in said
    found = {
        one: said[max(0, said.index(one) - 200) :][:400] for one in visitor.secrets if one and one in said
    }
    assert found == {}
    assert not re.search(r"^ERROR framewise: forged", said, re.MULTILINE)


@pytest.fixture
def _restored_logging():
    root = logging.getLogger()
    handlers = root.handlers[:]
    before = {name: logging.getLogger(name).level for name in [None, *root.manager.loggerDict]}
    yield
    root.handlers[:] = handlers
    for name in [None, *root.manager.loggerDict]:
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).filters.clear()


def test_text_cannot_look_like_a_line_of_its_own():
    formatter = LineFormatter()
    record = logging.LogRecord(
        "x", logging.INFO, "", 0, "name: %s", ("a\r\nERROR x: forged\u2028\x1b[2J\u202e",), None
    )
    assert formatter.format(record) == r"INFO x: name: a\r\nERROR x: forged\u2028\x1b[2J\u202e"
    try:
        raise ValueError("a\nERROR x: forged")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 0, "broken", (), (type(error), error, error.__traceback__)
        )
    assert [line for line in formatter.format(record).split("\n") if not line.startswith("  ")] == [
        "ERROR x: broken"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SECRETSECRET",
        "GET /files/a?expires=1&signature=SECRET&x=1",
        "https://user:SECRET@camera.example/stream",
        "Authorization: Bearer SECRET",
        f"PATCH /uploads/{'SECRET':x<44} HTTP/1.1",
        "https://s3/x?a=b&X-Amz-Signature=SECRET",
        "Cookie: framewise-refresh=SECRET; x",
    ],
)
def test_what_looks_secret_is_taken_out(text):
    assert "SECRET" not in without_secrets(text)
    assert "[removed]" in without_secrets(text)


@pytest.mark.usefixtures("_restored_logging")
def test_libraries_may_not_tell_what_they_send():
    configure_logging("DEBUG")
    for name in ("websockets.client", "aiosqlite", "botocore.auth", "httpx", "tortoise.db_client"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
    assert logging.getLogger("domain.events").isEnabledFor(logging.DEBUG)
    configure_logging("WARNING")
    assert not logging.getLogger("domain.events").isEnabledFor(logging.INFO)
