"""Whose word about a client's address a real API process takes."""

import httpx
import pytest

from tests.cli.api_process import api_server
from tests.outages import private_valkey  # noqa: F401

SIGN_UP = """mutation($input: SignUpInput!) { signUp(input: $input) { userErrors { code message } } }"""


@pytest.mark.parametrize(
    ("trusted_proxies", "codes"),
    [("", [None, "LIMIT_EXCEEDED", "LIMIT_EXCEEDED"]), ("127.0.0.0/8", [None, None, "LIMIT_EXCEEDED"])],
    ids=["nobody", "the loopback"],
)
async def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    tmp_path,
    private_valkey,  # noqa: F811
    trusted_proxies,
    codes,
):
    settings = {"trusted_proxies": trusted_proxies, "sign_up_rate_per_address": "1/hour"}
    async with api_server(tmp_path, private_valkey.url, **settings) as server:
        await server.start()
        got = []
        # The last one names another first, as whoever wants to be somebody else would.
        for number, said in enumerate(["192.0.2.1", "192.0.2.2", "198.51.100.9, 192.0.2.2"]):
            person = {"username": f"person{number}", "password": "correct horse"}
            async with httpx.AsyncClient(timeout=60) as http:
                response = await http.post(
                    f"{server.url}/graphql",
                    json={"query": SIGN_UP, "variables": {"input": person}},
                    headers={"X-Forwarded-For": said},
                )
            errors = response.json()["data"]["signUp"]["userErrors"]
            got.append(errors[0]["code"] if errors else None)
        assert got == codes
