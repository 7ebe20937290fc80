"""A GraphQL client that does not mind servers which come and go."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

PASSWORD = "correct horse"

_ANSWER_SECONDS = 20.0
_PATIENCE_SECONDS = 90.0
_TRY_AGAIN_CODES = {"INTERNAL", "UNAVAILABLE"}


class UnansweredError(Exception):
    """Raised when the API gave no proper answer for a long time."""


class PatientApi:
    """A user's calls; each is repeated until the API answers it.

    A call whose answer was lost may have taken effect: what is sent must bear to be sent twice.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self.repeats = 0
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_ANSWER_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def sign_up(self, username: str) -> "PatientApi":
        """A client signed in as a new user."""
        payload = await self.data(
            "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken } userErrors { message } } }",
            input={"username": username, "password": PASSWORD},
        )
        return PatientApi(self.url, payload["signUp"]["session"]["accessToken"])

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        return await self._answered(lambda: {"json": {"query": query, "variables": variables}})

    async def upload(
        self, filename: str, content: bytes, analyze: Mapping[str, Any] | None, key: str | None = None
    ) -> dict[str, Any]:
        """Upload one video; `key` is its idempotency key, where the server knows them."""
        declared, passed = ("", "") if key is None else (", $key: String", ", idempotencyKey: $key")
        query = f"""mutation($files: [Upload!]!, $analyze: AnalysisSettingsInput{declared}) {{
          uploadVideos(files: $files, analyze: $analyze{passed}) {{
            videos {{ id }} analyses {{ id }} userErrors {{ code message }} }} }}"""
        variables = {"files": [None], "analyze": analyze} | ({} if key is None else {"key": key})
        form = {
            "operations": json.dumps({"query": query, "variables": variables}),
            "map": json.dumps({"0": ["variables.files.0"]}),
        }
        data = await self._answered(lambda: {"data": form, "files": {"0": (filename, content)}})
        payload: dict[str, Any] = data["uploadVideos"]
        if payload["userErrors"]:
            raise AssertionError(payload["userErrors"])
        return payload

    async def steer(self, mutation: str, id: str) -> tuple[str | None, list[str]]:
        """pauseAnalysis and its like: the status after it, and the codes of the user errors."""
        payload = (
            await self.data(
                f"mutation($id: ID!) {{ {mutation}(id: $id) {{ analysis {{ status }} userErrors {{ code }} }} }}",
                id=id,
            )
        )[mutation]
        return (payload["analysis"] or {}).get("status"), [error["code"] for error in payload["userErrors"]]

    async def delete(self, mutation: str, id: str) -> list[str]:
        """deleteVideo and its like: the codes of the user errors."""
        payload = (
            await self.data(
                f"mutation($id: ID!) {{ {mutation}(id: $id) {{ userErrors {{ code }} }} }}", id=id
            )
        )[mutation]
        return [error["code"] for error in payload["userErrors"]]

    async def video_ids(self) -> list[str]:
        found, after = [], None
        while True:
            page = (
                await self.data(
                    "query($after: String) { videos(first: 100, after: $after) { edges { node { id } } "
                    "pageInfo { hasNextPage endCursor } } }",
                    after=after,
                )
            )["videos"]
            found += [edge["node"]["id"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    async def mutations(self) -> dict[str, set[str]]:
        """What the server can be told: the arguments of each mutation."""
        data = await self.data('{ __type(name: "Mutation") { fields { name args { name } } } }')
        return {
            one["name"]: {argument["name"] for argument in one["args"]} for one in data["__type"]["fields"]
        }

    async def fetch(self, url: str) -> bytes:
        """Download from a signed link."""
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                response = await self._http.get(url)
                if response.status_code == 200:
                    return response.content
                problem = f"HTTP status {response.status_code}"
            except httpx.TransportError as error:
                problem = repr(error)
            await self._pause(gives_up, f"{url}: {problem}")

    async def _answered(self, content: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                answer = (await self._http.post("/graphql", **content())).json()
                problem = str(answer.get("errors"))
                if "errors" not in answer:
                    data: dict[str, Any] = answer["data"]
                    return data
                codes = {error.get("extensions", {}).get("code") for error in answer["errors"]}
                if not codes <= _TRY_AGAIN_CODES:
                    raise AssertionError(problem)
            except (httpx.TransportError, ValueError) as error:
                problem = repr(error)
            await self._pause(gives_up, problem)

    async def _pause(self, gives_up: float, problem: str) -> None:
        if asyncio.get_running_loop().time() > gives_up:
            raise UnansweredError(problem)
        self.repeats += 1
        await asyncio.sleep(0.2)
