"""The rate of mutations that cost much, and what the settings take."""

import pytest
from pydantic import ValidationError

from graphql_api.http.client_address import client_address, limited_as
from graphql_api.schema import make_schema
from settings import Settings
from tests.graphql_api.full_app import FullApp

DELETE = "mutation($id: ID!) { deleteVideo(id: $id) { deletedId userErrors { code message } } }"
START = """mutation { startAnalysis(input: {videoId: "none", settings: {}}) { userErrors { code } } }"""


async def test_an_account_may_do_so_much_and_others_as_well(sqlite, tmp_path):
    async with FullApp(tmp_path, mutation_rate_per_user="3/hour") as app:
        ada, bob = await app.person("ada"), await app.person("bob")
        for _ in range(3):
            assert (await ada.data(START))["startAnalysis"]["userErrors"][0]["code"] == "NOT_FOUND"
        [error] = (await ada.data(DELETE, id="x"))["deleteVideo"]["userErrors"]
        assert error["code"] == "LIMIT_EXCEEDED"
        assert "limit: mutation_rate_per_user" in error["message"]
        assert "try again in" in error["message"]
        assert (await bob.data(START))["startAnalysis"]["userErrors"][0]["code"] == "NOT_FOUND"
        # Nobody's calls are nobody's.
        answer = (await app.http.post("/graphql", json={"query": START})).json()
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_empty_rate_is_no_limit(sqlite, tmp_path):
    async with FullApp(tmp_path, mutation_rate_per_user="") as app:
        ada = await app.person("ada")
        for _ in range(5):
            assert (await ada.data(START))["startAnalysis"]["userErrors"][0]["code"] == "NOT_FOUND"


def test_what_makes_and_removes_things_is_counted():
    counted = set()
    for name, field in make_schema()._schema.mutation_type.fields.items():
        definition = field.extensions["strawberry-definition"]
        if any(type(extension).__name__ == "CountsForRate" for extension in definition.extensions):
            counted.add(name)
    assert {
        "uploadVideos",
        "importVideo",
        "startAnalysis",
        "restartAnalysis",
        "deleteVideo",
        "deleteAnalysis",
    } <= counted


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sign_in_rate_per_address", "often", "'often' says no rates"),
        ("sign_in_rate_per_username", "10", "'10' says no rates"),
        ("sign_up_rate_per_address", "0/hour", "switches the limit off"),
        ("mutation_rate_per_user", "5/minute,", "says no rates"),
        ("trusted_proxies", "*", "'*' is no address or network"),
        ("trusted_proxies", "10.0.0.1/8", "'10.0.0.1/8' is no address or network"),
        ("import_allowed_networks", "nas.local", "'nas.local' is no address or network"),
    ],
)
def test_wrong_settings_are_told(name, value, told):
    with pytest.raises(ValidationError, match=name) as caught:
        Settings(**{name: value})
    assert told in str(caught.value)


def test_settings_may_be_empty():
    settings = Settings(sign_in_rate_per_address="", trusted_proxies=" ", mutation_rate_per_user=" ")
    assert (settings.sign_in_rate_per_address, settings.mutation_rate_per_user) == ("", "")


class Connection:
    def __init__(self, client):
        self.client = client


class Client:
    def __init__(self, host):
        self.host = host


@pytest.mark.parametrize(
    ("host", "address", "limited"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("unknown", "unknown", "unknown"),
        ("x" * 100, "x" * 64, "x" * 64),
        (None, "", ""),
    ],
)
def test_addresses(host, address, limited):
    given = client_address(Connection(None if host is None else Client(host)))
    assert (given, limited_as(given)) == (address, limited)
