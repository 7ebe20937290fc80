"""Accounts through GraphQL."""

import asyncio

import pytest

from settings import Settings
from tests.graphql_api.serving import PASSWORD, Api, make_app

USER_ERRORS = "userErrors { code message path }"


def _mutation(name, input_type, fields):
    return f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ {fields} {USER_ERRORS} }} }}"


UPDATE = _mutation("updateMe", "UpdateMeInput", "user { email fullName }")
SIGN_UP = _mutation("signUp", "SignUpInput", "session { accessToken }")
SIGN_IN = _mutation("signIn", "SignInInput", "session { accessToken }")
CHANGE = _mutation("changePassword", "ChangePasswordInput", "user { username }")
REFRESH = (
    "mutation($token: String!) { refreshSession(refreshToken: $token) "
    f"{{ session {{ accessToken refreshToken }} {USER_ERRORS} }} }}"
)
SIGN_OUT = f"mutation($token: String!) {{ signOut(refreshToken: $token) {{ {USER_ERRORS} }} }}"


@pytest.fixture
def api(database, tmp_path):
    return Api(make_app(Settings(data_dir=tmp_path), tmp_path / "graphiql.html"))


def _codes(answer):
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


async def test_me_is_null_without_a_token_and_an_error_with_a_bad_one(api):
    session = await api.sign_up()
    assert await api("{ me { username } }") == {"data": {"me": None}}
    assert (await api("{ me { username } }", token=session["accessToken"]))["data"]["me"] == {
        "username": "alice"
    }
    for token in ("", "bad", session["refreshToken"], session["accessToken"][:-3]):
        answer = await api("{ me { username } }", token=token)
        assert answer["data"] == {"me": None}
        assert _codes(answer) == ["UNAUTHENTICATED"]


async def test_an_expired_token_can_still_refresh(database, tmp_path):
    api = Api(make_app(Settings(data_dir=tmp_path, access_token_seconds=1), tmp_path))
    session = await api.sign_up()
    await asyncio.sleep(2)
    answer = await api("{ me { username } }", token=session["accessToken"])
    assert (answer["errors"][0]["message"], _codes(answer)) == (
        "The access token has expired.",
        ["UNAUTHENTICATED"],
    )
    answer = await api(REFRESH, {"token": session["refreshToken"]}, session["accessToken"])
    fresh = answer["data"]["refreshSession"]["session"]["accessToken"]
    assert (await api("{ me { username } }", token=fresh))["data"]["me"] == {"username": "alice"}


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"username": "ab"}, "INVALID", ["input", "username"]),
        ({"username": "a b c"}, "INVALID", ["input", "username"]),
        ({"username": "ALICE"}, "CONFLICT", ["input", "username"]),
        ({"password": "short"}, "INVALID", ["input", "password"]),
        ({"password": "x" * 257}, "INVALID", ["input", "password"]),
        ({"email": "no address"}, "INVALID", ["input", "email"]),
        ({"fullName": ""}, "INVALID", ["input", "fullName"]),
    ],
)
async def test_sign_up_names_the_field_that_is_wrong(api, given, code, path):
    await api.sign_up("alice")
    answer = await api(SIGN_UP, {"input": {"username": "bob", "password": PASSWORD, **given}})
    payload = answer["data"]["signUp"]
    assert payload["session"] is None
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [(code, path)]
    assert payload["userErrors"][0]["message"].endswith((".", "@"))


async def test_sign_in_and_its_refusal(api):
    await api.sign_up("alice")
    right = await api(SIGN_IN, {"input": {"username": "Alice", "password": PASSWORD}})
    assert right["data"]["signIn"]["session"]["accessToken"]
    wrong = [
        await api(SIGN_IN, {"input": {"username": username, "password": password}})
        for username, password in (("alice", "wrong horse"), ("nobody", PASSWORD))
    ]
    assert wrong[0] == wrong[1]
    assert wrong[0]["data"]["signIn"]["userErrors"][0]["code"] == "WRONG_CREDENTIALS"


async def test_refresh_rotates_and_reuse_ends_the_session(api):
    session = await api.sign_up()
    first = (await api(REFRESH, {"token": session["refreshToken"]}))["data"]["refreshSession"]["session"]
    again = (await api(REFRESH, {"token": session["refreshToken"]}))["data"]["refreshSession"]
    assert again["session"] is None
    assert [(error["code"], error["path"]) for error in again["userErrors"]] == [
        ("WRONG_CREDENTIALS", ["refreshToken"])
    ]
    assert (await api(REFRESH, {"token": first["refreshToken"]}))["data"]["refreshSession"]["session"] is None
    assert _codes(await api("{ secretId }", token=first["accessToken"])) == ["UNAUTHENTICATED"]


async def test_sign_out(api):
    session = await api.sign_up()
    assert (await api(SIGN_OUT, {"token": session["refreshToken"]}))["data"]["signOut"] == {"userErrors": []}
    answer = await api("{ secretId }", token=session["accessToken"])
    assert (answer["data"], _codes(answer)) == (None, ["UNAUTHENTICATED"])
    unknown = await api(SIGN_OUT, {"token": "x"})
    assert unknown["data"]["signOut"]["userErrors"][0]["path"] == ["refreshToken"]


async def test_update_me_tells_absent_from_null(api):
    token = (await api.sign_up())["accessToken"]

    async def update(given):
        answer = await api(UPDATE, {"input": given}, token)
        return answer["data"]["updateMe"]

    both = {"email": "a@example.org", "fullName": "Alice"}
    assert (await update(both))["user"] == both
    assert (await update({}))["user"] == both
    assert (await update({"email": None}))["user"] == {"email": None, "fullName": "Alice"}
    refused = await update({"email": "x", "fullName": None})
    assert (refused["user"], refused["userErrors"][0]["path"]) == (None, ["input", "email"])
    assert (await update({}))["user"] == {"email": None, "fullName": "Alice"}


async def test_change_password(api):
    here = await api.sign_up()
    elsewhere = (await api(SIGN_IN, {"input": {"username": "alice", "password": PASSWORD}}))["data"]["signIn"]
    given = {"currentPassword": "wrong horse", "newPassword": "another horse"}
    refused = await api(CHANGE, {"input": given}, here["accessToken"])
    assert refused["data"]["changePassword"]["userErrors"][0]["path"] == ["input", "currentPassword"]
    changed = await api(CHANGE, {"input": {**given, "currentPassword": PASSWORD}}, here["accessToken"])
    assert changed["data"]["changePassword"] == {"user": {"username": "alice"}, "userErrors": []}
    assert "errors" not in await api("{ secretId }", token=here["accessToken"])
    assert _codes(await api("{ secretId }", token=elsewhere["session"]["accessToken"])) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("query", [UPDATE, CHANGE])
async def test_mutations_of_an_account_need_a_sign_in(api, query):
    given = {} if query is UPDATE else {"currentPassword": PASSWORD, "newPassword": "another horse"}
    answer = await api(query, {"input": given})
    assert (answer["data"], _codes(answer)) == (None, ["UNAUTHENTICATED"])


async def test_node_gives_only_yourself(api):
    alice, bob = await api.sign_up("alice"), await api.sign_up("bob")
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    own = await api(query, {"id": alice["user"]["id"]}, alice["accessToken"])
    assert own["data"]["node"] == {"__typename": "User", "id": alice["user"]["id"]}
    assert (await api(query, {"id": bob["user"]["id"]}, alice["accessToken"])) == {"data": {"node": None}}
    assert _codes(await api(query, {"id": alice["user"]["id"]})) == ["UNAUTHENTICATED"]
