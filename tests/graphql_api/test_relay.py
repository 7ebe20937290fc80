"""Global ids, nodes, connections, scalars."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.accounts.models import User
from domain.errors import NotFoundError
from domain.videos.models import Video
from graphql_api.relay import (
    encode_cursor,
    encode_keyset,
    find_uuid,
    global_id,
    id_of,
    parse_global_id,
    require_uuid,
)
from settings import Settings
from tests.graphql_api.serving import Api, make_app

PAGE = """
query($first: Int, $after: String, $orderBy: String! = "-created_at") {
  users(first: $first, after: $after, orderBy: $orderBy) {
    edges { cursor node { username } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


@pytest.fixture
def bare_api(tmp_path):
    """An application that has no database."""
    return Api(make_app(Settings(data_dir=tmp_path), tmp_path / "graphiql.html"))


@pytest.fixture
def api(database, bare_api):
    return bare_api


def _encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


USERS = User._meta.db_table
KEY = UUID("12345678-1234-5678-1234-567812345678")
BAD_TEXTS = [
    "User:",
    f":{KEY}",
    str(KEY),
    "User:nonsense",
    f"User:{KEY.hex}",
    f"User:{{{KEY}}}",
    f"User: {KEY}",
]
BAD_TEXTS += [
    f"Video:{KEY}",
    f"user:{KEY}",
    f"User:{KEY}:",
    f"User:{KEY}\n",
    f"User:{KEY}".replace("5678", "5678 "),
]
BAD_IDS = ["", " ", "x", "é", "\0", "=", "====", "A" * 100_000, "_" * 7, str(KEY), f"User:{KEY}"]
BAD_IDS += [_encoded(text) for text in BAD_TEXTS] + [
    _encoded(f"User:{KEY}") + end for end in ("=", "\n", " ", "A")
]
BAD_IDS += [base64.b64encode(b"User:\xff").decode()]


def test_global_ids_round_trip():
    assert find_uuid(global_id("User", KEY), "User") == KEY
    assert parse_global_id(global_id("MLModel", "yunet:2026/may é")) == ("MLModel", "yunet:2026/may é")


@pytest.mark.parametrize("type_name", ["User", "Video", "Person", "Appearance"])
def test_ids_that_are_made_together_are_those_that_are_made_alone(type_name):
    keys = [uuid4() for _ in range(7)]
    make_all = id_of(type_name, "key").whole
    alone = [global_id(type_name, key) for key in keys]
    assert make_all(keys) == make_all([str(key) for key in keys]) == alone
    assert make_all(keys[:1]) == alone[:1]
    assert make_all(["ä" * 36, str(keys[0])]) is None


@pytest.mark.parametrize("value", BAD_IDS)
def test_every_other_text_is_no_id(value):
    assert find_uuid(value, "User") is None
    with pytest.raises(NotFoundError) as raised:
        require_uuid(value, "User", "input", "user_id")
    assert raised.value.path == ("input", "user_id")


async def test_a_bad_id_is_null_in_a_query_and_a_user_error_in_a_mutation(api):
    token = (await api.sign_up())["accessToken"]
    for value in BAD_IDS:
        if "\0" in value:
            continue
        node = await api("query($id: ID!) { node(id: $id) { id } }", {"id": value}, token)
        assert node == {"data": {"node": None}}
        touch = "mutation($id: ID!) { touch(userId: $id) { user { id } userErrors { code path } } }"
        touched = await api(touch, {"id": value}, token)
        assert touched["data"]["touch"] == {
            "user": None,
            "userErrors": [{"code": "NOT_FOUND", "path": ["userId"]}],
        }


async def _make_users(count):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        await User.create(
            id=uuid4(), username=f"user{number:03}", username_key=f"user{number:03}", password_hash="x",
            # Threes share a moment, and whole seconds have no fraction in SQLite's text.
            created_at=start + timedelta(milliseconds=500 * (number // 3)),
        )  # fmt: skip


@pytest.mark.parametrize("order_by", ["-created_at", "created_at", "username", "-username"])
@pytest.mark.parametrize("size", [1, 4, 10, 25])
async def test_pages_join_to_the_whole_list(api, order_by, size):
    await _make_users(25)
    expected = [
        row.username for row in await User.all().order_by(order_by, "-id" if order_by[0] == "-" else "id")
    ]
    seen, after, pages = [], None, 0
    while True:
        answer = await api(PAGE, {"first": size, "after": after, "orderBy": order_by})
        users = answer["data"]["users"]
        names = [edge["node"]["username"] for edge in users["edges"]]
        seen += names
        info = users["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (
            users["edges"][0]["cursor"],
            users["edges"][-1]["cursor"],
        )
        assert info["hasPreviousPage"] is (after is not None)
        assert info["hasNextPage"] is (len(seen) < 25)
        pages += 1
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    assert seen == expected
    assert pages == -(-25 // size)


async def test_rows_that_come_or_go_shift_no_page(api):
    await _make_users(9)
    first = (await api(PAGE, {"first": 3}))["data"]["users"]
    await User.filter(username="user007").delete()
    await User.create(id=uuid4(), username="new", username_key="new", password_hash="x")
    rest = (await api(PAGE, {"first": 100, "after": first["pageInfo"]["endCursor"]}))["data"]["users"]
    names = {edge["node"]["username"] for edge in rest["edges"]}
    assert len(names) == 6
    assert "new" not in names


async def test_page_sizes(api):
    await _make_users(30)
    assert len((await api(PAGE, {"first": None}))["data"]["users"]["edges"]) == 20
    nothing = (await api(PAGE, {"first": 0}))["data"]["users"]
    assert nothing["edges"] == []
    assert nothing["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None,
    }  # fmt: skip
    (negative,) = (await api(PAGE, {"first": -1}))["errors"]
    assert negative["extensions"] == {"code": "BAD_USER_INPUT"}
    (too_many,) = (await api(PAGE, {"first": 101}))["errors"]
    assert too_many["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "max_page_size"}
    assert "100" in too_many["message"]


async def test_bad_cursors(api, caplog):
    await _make_users(3)
    order = "-created_at"
    cursors = ["", "x", "é", "=", _encoded("1"), _encoded("[" * 5000), _encoded("{}"), encode_cursor()]
    cursors += [
        encode_cursor(USERS, order, "2026-01-01", 5),
        encode_cursor(USERS, order, "x", KEY.hex),
        encode_cursor(USERS, order, [], KEY.hex),
    ]
    cursors += [
        encode_cursor(USERS, order, None, KEY.hex),
        encode_cursor(USERS, order, "2026-01-01", "x"),
        encode_cursor(USERS, order, {}, {}),
    ]
    cursors += [
        encode_cursor(USERS, "created_at", "2026-01-01T00:00:00+00:00", KEY.hex),
        encode_cursor(USERS, order, 10**400, KEY.hex),
    ]
    cursors += [
        encode_cursor(USERS, "username", "x", KEY.hex),
        encode_cursor(USERS, order, "9999-99-99", KEY.hex),
    ]
    for cursor in cursors:
        answer = await api(PAGE, {"after": cursor})
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert (error["extensions"], error["path"]) == ({"code": "BAD_USER_INPUT"}, ["users"]), cursor
        assert "after" in error["message"]
    assert not caplog.records


async def test_a_cursor_of_a_list_of_another_type(api):
    await _make_users(3)
    now = datetime.now(UTC)
    own, other = (encode_keyset(model, "-created_at", now, KEY) for model in (User, Video))
    assert len((await api(PAGE, {"after": own}))["data"]["users"]["edges"]) == 3
    (error,) = (await api(PAGE, {"after": other}))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"] == "`after` is not a cursor of this list in this order."


async def test_a_cursor_cannot_carry_text_that_no_database_stores(api, caplog):
    for text in ("\0", "a\0b", "\ud800"):
        cursor = encode_cursor(USERS, "username", text, KEY.hex)
        answer = await api(PAGE, {"after": cursor, "orderBy": "username"})
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert not caplog.records


ECHO = """
query($big: BigInt, $moment: DateTime, $day: Date) {
  echo(big: $big, moment: $moment, day: $day) { big moment day }
}
"""


@pytest.mark.parametrize(
    ("name", "given", "answered"),
    [
        ("big", 5, 5),
        ("big", "5", 5),
        ("big", -(2**53) + 1, -(2**53) + 1),
        ("big", 2**53, str(2**53)),
        ("big", str(2**63 - 1), str(2**63 - 1)),
        ("big", str(-(2**63)), str(-(2**63))),
        ("big", 3.0, 3),
        ("moment", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("moment", "2026-01-31T12:00:00.125+02:00", "2026-01-31T10:00:00.125000Z"),
        ("day", "2026-01-31", "2026-01-31"),
    ],
)
async def test_scalars(bare_api, name, given, answered):
    assert (await bare_api(ECHO, {name: given}))["data"]["echo"][name] == answered


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("big", value)
        for value in (True, 1.5, "", "x", "1.0", "²", str(2**63), 2**63, "9" * 5000, [], {}, 1e300)
    ]
    + [
        ("moment", value)
        for value in ("", "2026-01-31", "2026-01-31T12:00:00", 5, "x", "2026-13-01T00:00:00Z")
    ]
    + [("moment", "0001-01-01T00:00:00+23:59"), ("moment", "9999-12-31T23:59:59-23:59")]
    + [("day", value) for value in ("", "2026-02-30", 5, "x", "2026-01-31T00:00:00Z")]
    + [("day", value) for value in ("2000-W01-1", "2000W011", "20000101", "2000-01-01\n", [], "２000-01-01")],
)
async def test_bad_scalars(bare_api, name, given, caplog):
    answer = await bare_api(ECHO, {name: given})
    assert "data" not in answer or answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert not caplog.records
