"""Sessions in cookies: what is set, what counts, and what another site can do with it (nothing)."""

import httpx
import pytest
import websockets

from settings import Settings
from tests.graphql_api.serving import PASSWORD, Socket, make_app, opened, served

HOST = "http://testserver"
OURS = {"X-Framewise-Session": "cookie", "Origin": HOST}
FIELDS = "session { accessToken refreshToken user { username } } userErrors { code path }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ {FIELDS} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ {FIELDS} }} }}"
REFRESH = f"mutation {{ refreshSession {{ {FIELDS} }} }}"
SIGN_OUT = "mutation { signOut { userErrors { code path } } }"
SECRET = "{ secretId }"


@pytest.fixture
def make(database, tmp_path):
    def make_one(base_url=HOST, **changes):
        app = make_app(Settings(data_dir=tmp_path, **changes), tmp_path / "graphiql.html")
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)

    return make_one


async def ask(http, query, headers=None, **variables):
    headers = OURS | {"Origin": str(http.base_url)} if headers is None else headers
    return await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def sign_up(http, name="alice", headers=None):
    return await ask(http, SIGN_UP, headers, input={"username": name, "password": PASSWORD})


def codes(response):
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


def set_cookies(response):
    """Name → (value, attributes) of what an answer sets."""
    found = {}
    for header in response.headers.get_list("set-cookie"):
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        found[name] = (value.strip('"'), {one.lower() for one in attributes})
    return found


async def test_tokens_are_in_cookies_and_not_in_the_answer(make):
    http = make()
    answer = await sign_up(http)
    session = answer.json()["data"]["signUp"]["session"]
    assert (session["accessToken"], session["refreshToken"]) == ("", "")
    cookies = set_cookies(answer)
    assert cookies.keys() == {"framewise-access", "framewise-refresh"}
    for name, path, life in (("access", "/", "900"), ("refresh", "/graphql", str(30 * 86400))):
        value, attributes = cookies[f"framewise-{name}"]
        assert attributes == {"httponly", "samesite=strict", f"path={path}", f"max-age={life}"}
        assert value not in answer.text
    assert (await ask(http, SECRET)).json()["data"]["secretId"]


@pytest.mark.parametrize("how", ["tls", "public_url"])
async def test_by_tls_they_are_secure_and_of_this_host_only(make, how):
    http = make("https://testserver") if how == "tls" else make(public_url="https://testserver")
    answer = await sign_up(http, headers=OURS | {"Origin": "https://testserver"})
    for name in ("__Host-framewise-access", "__Host-framewise-refresh"):
        assert {"secure", "httponly", "samesite=strict", "path=/"} < set_cookies(answer)[name][1]


async def test_a_cookie_without_prefix_does_not_count_by_tls(make):
    plain = make()
    await sign_up(plain)
    http = make("https://testserver", public_url="")
    token = plain.cookies["framewise-access"]
    headers = OURS | {"Origin": "https://testserver"}
    answer = await ask(http, SECRET, headers | {"Cookie": f"framewise-access={token}"})
    assert codes(answer) == ["UNAUTHENTICATED"]
    answer = await ask(http, SECRET, headers | {"Cookie": f"__Host-framewise-access={token}"})
    assert answer.json()["data"]["secretId"]


async def test_without_the_header_there_are_no_cookies(make):
    http = make()
    await sign_up(http)
    for headers in ({"Origin": HOST}, {}, {"X-Framewise-Session": "yes"}, {"X-Requested-With": "x"}):
        assert codes(await ask(http, SECRET, headers)) == ["UNAUTHENTICATED"]
        refused = (await ask(http, REFRESH, headers)).json()["data"]["refreshSession"]["userErrors"]
        assert refused == [{"code": "WRONG_CREDENTIALS", "path": ["refreshToken"]}]
        await ask(http, SIGN_OUT, headers)
    form = await http.post("/graphql", data={"query": SIGN_OUT}, headers={"Origin": "http://evil.example"})
    assert form.status_code == 415
    assert codes(await http.get("/graphql", params={"query": SECRET})) == ["UNAUTHENTICATED"]
    bearer = await ask(http, SIGN_IN, {}, input={"username": "alice", "password": PASSWORD})
    assert bearer.json()["data"]["signIn"]["session"]["accessToken"]
    assert not set_cookies(bearer)
    assert (await ask(http, SECRET)).json()["data"]["secretId"]


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://testserver",
        "http://testserver:81",
        "http://testserver.evil.example",
        "http://eviltestserver",
        "http://testserver@evil.example",
        "http://evil.example/http://testserver",
        "null",
        "",
        "http://[",
        None,
    ],
)
async def test_requests_of_other_origins_are_refused(make, origin):
    http = make()
    await sign_up(http)
    headers = {"X-Framewise-Session": "cookie"} | ({} if origin is None else {"Origin": origin})
    for query in (SECRET, SIGN_OUT, REFRESH):
        answer = await ask(http, query, headers)
        assert (answer.status_code, codes(answer)) == (403, ["FORBIDDEN"])
        assert not set_cookies(answer)
    assert (await sign_up(http, "bob", headers)).status_code == 403
    assert (await ask(http, SECRET)).json()["data"]["secretId"]


async def test_a_get_needs_no_origin_unless_the_browser_says_it_is_foreign(make):
    http = make()
    await sign_up(http)
    for site, status in (("same-origin", 200), (None, 200), ("cross-site", 403), ("same-site", 403)):
        headers = {"X-Framewise-Session": "cookie"} | ({} if site is None else {"Sec-Fetch-Site": site})
        answer = await http.get("/graphql", params={"query": SECRET}, headers=headers)
        assert answer.status_code == status


async def test_an_allowed_origin_and_the_public_one_may_use_them(make):
    http = make(allowed_origins="https://shop.example.org, http://testserver:81/", public_url="http://public")
    for origin in ("https://shop.example.org", "http://testserver:81", "http://public", HOST):
        answer = await sign_up(http, f"user{len(origin)}", OURS | {"Origin": origin})
        assert answer.json()["data"]["signUp"]["session"], origin
    assert (await ask(http, SECRET, OURS | {"Origin": "http://shop.example.org"})).status_code == 403


async def test_a_bearer_token_wins(make):
    http, other = make(), make()
    await sign_up(http, "alice")
    answer = await sign_up(other, "bob", {})
    token = answer.json()["data"]["signUp"]["session"]["accessToken"]
    me = await ask(http, "{ me { username } }", OURS | {"Authorization": f"Bearer {token}"})
    assert me.json()["data"]["me"]["username"] == "bob"
    bad = await ask(http, SECRET, OURS | {"Authorization": "Bearer nonsense"})
    assert codes(bad) == ["UNAUTHENTICATED"]


async def test_refresh_rotates_and_reuse_ends_the_session(make):
    http, thief = make(), make()
    await sign_up(http)
    first = dict(http.cookies)
    answer = await ask(http, REFRESH)
    session = answer.json()["data"]["refreshSession"]["session"]
    assert (session["accessToken"], session["refreshToken"]) == ("", "")
    assert set_cookies(answer)["framewise-refresh"][0] != first["framewise-refresh"]
    assert (await ask(http, SECRET)).json()["data"]["secretId"]
    thief.cookies.update(first)
    stolen = await ask(thief, REFRESH)
    assert stolen.json()["data"]["refreshSession"]["userErrors"][0]["code"] == "WRONG_CREDENTIALS"
    assert codes(await ask(http, SECRET)) == ["UNAUTHENTICATED"]


async def test_sign_out_ends_the_session_and_removes_the_cookies(make):
    http = make()
    await sign_up(http)
    before = dict(http.cookies)
    answer = await ask(http, SIGN_OUT)
    assert answer.json()["data"]["signOut"] == {"userErrors": []}
    removed = {name: (value, "max-age=0" in more) for name, (value, more) in set_cookies(answer).items()}
    assert removed == {"framewise-access": ("", True), "framewise-refresh": ("", True)}
    assert not http.cookies
    http.cookies.update(before)
    assert codes(await ask(http, SECRET)) == ["UNAUTHENTICATED"]


async def test_a_socket_takes_cookies_from_its_own_origin_only(database, tmp_path):
    app = make_app(Settings(data_dir=tmp_path), tmp_path / "graphiql.html")
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOST)
    await sign_up(http)
    cookie = f"framewise-access={http.cookies['framewise-access']}"
    async with served(app) as url:
        own = url.replace("ws:", "http:").removesuffix("/graphql")

        def connect(origin, cookie):
            headers = {} if cookie is None else {"Cookie": cookie}
            return websockets.connect(
                url, subprotocols=["graphql-transport-ws"], origin=origin, additional_headers=headers
            )

        for origin in ("http://evil.example", own.replace("127.0.0.1", "localhost"), "null", None):
            with pytest.raises(websockets.InvalidStatus) as refusal:
                await connect(origin, cookie)
            assert refusal.value.response.status_code == 403
        async with connect("http://evil.example", None):
            pass  # with a token in connection_init, any page may
        async with connect(own, cookie) as connection:
            socket = Socket(connection)
            await socket.init()
            await socket.subscribe("{ me { username } }")
            assert (await socket.receive())["payload"]["data"] == {"me": {"username": "alice"}}
        async with opened(url) as socket:
            await socket.init()
            await socket.subscribe(SECRET)
            assert "UNAUTHENTICATED" in str(await socket.receive())


@pytest.mark.parametrize("text", ["*", "shop.example.org", "https://*.example.org", "https://a/b", "ftp://a"])
def test_a_wrong_origin_is_refused_at_the_start(tmp_path, text):
    from graphql_api.http.cors import cross_origin_middleware

    with pytest.raises(ValueError, match="FRAMEWISE_ALLOWED_ORIGINS"):
        cross_origin_middleware(Settings(data_dir=tmp_path, allowed_origins=text))
