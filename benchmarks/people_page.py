"""A page of 100 of 10,000 people with crops, names and videos, inside the server, on both databases.

What is timed is all that one request takes between its bytes and those of the answer: who is signed in, the
statements, the answer as JSON. It has no network in it, and one core does all of it but PostgreSQL's part.
The event loop and the garbage collector are those of the API process.
Run alone: `python -m benchmarks.people_page [rounds]`.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import uvloop
from starlette.requests import HTTPConnection
from tortoise import connections
from tortoise.backends.base.executor import EXECUTOR_CACHE

from benchmarks.people_rows import RegisterSize, add_people
from benchmarks.postgres import empty_postgres
from cli.api_server.garbage import collect_rarely
from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from domain.database import connect, disconnect, migrate
from graphql_api.context import AppState, Context
from graphql_api.execution.schema import ApiSchema
from graphql_api.rules import QueryLimits
from graphql_api.schema import make_schema
from settings import Settings
from storage.local import LocalStorage
from tests.databases import postgres_binaries

_SECRET = b"s" * 32
_NODE = "id fullName cropUrl appearanceCount createdAt"
_APPEARANCES = (
    "appearances(first: 3) { edges { node { firstSeconds lastSeconds cropUrl video { id title } } } }"
)
QUERIES = {
    "names and crops": f"people(first: 100) {{ edges {{ cursor node {{ {_NODE} }} }} }}",
    "... and 3 appearances with videos": "people(first: 100) { edges { node { "
    f"{_NODE} {_APPEARANCES} }} }} }}",
    "... and 3 videos": f"people(first: 100) {{ edges {{ node {{ {_NODE} videos(first: 3) "
    "{ edges { node { id title } } } } } }",
    "by name, with 3 appearances": f"people(first: 100, orderBy: NAME) {{ edges {{ node {{ {_NODE} "
    f"{_APPEARANCES} }} }} }}",
    "whose names have 'ada' in them": 'people(first: 100, filter: {name: "aDA"}) { edges { node { '
    f"{_NODE} {_APPEARANCES} }} }} }}",
    "of one day's videos": '''people(first: 100, filter: {seenFrom: "2026-01-05T00:00:00Z",
    seenTo: "2026-01-06T00:00:00Z"}) { edges { node { ''' + f"{_NODE} {_APPEARANCES} }} }} }}",
}  # fmt: skip


class Asker:
    """Somebody with a large register, who asks without a network."""

    def __init__(self, schema: ApiSchema, state: AppState, token: str) -> None:
        self._schema, self._state, self._token = schema, state, token

    async def ask(self, query: str) -> bytes:
        """The answer as it would be sent."""
        headers = [(b"authorization", f"Bearer {self._token}".encode()), (b"host", b"localhost")]
        scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "scheme": "http"}
        context = Context(self._state, HTTPConnection({**scope, "query_string": b""}))
        result = await self._schema.execute(query, None, context)
        assert not result.errors, result.errors
        return orjson.dumps({"data": result.data, "extensions": result.extensions})


def print_people_page(rounds: int = 200) -> None:
    """Measure each query on each database, and print medians, 99th percentiles and statements."""
    print("\nA page of 100 of 10,000 people inside the server, milliseconds (one core)")
    with tempfile.TemporaryDirectory(prefix="framewise-bench-") as folder:
        directory = Path(folder)
        uvloop.run(_measure("SQLite", f"sqlite://{directory / 'people.db'}", directory, rounds))
        with empty_postgres(postgres_binaries()) as url:
            if url is None:
                print("  PostgreSQL is left out: it is not installed")
            else:
                uvloop.run(_measure("PostgreSQL", url, directory, rounds))


async def _measure(name: str, url: str, directory: Path, rounds: int) -> None:
    EXECUTOR_CACHE.clear()  # it holds statements of the database before
    await migrate(url)
    await connect(url)
    try:
        signed_in = await sign_up(AccountSettings(_SECRET, 9000, 9000), "ada", "correct horse", None, None)
        began = time.perf_counter()
        await add_people(UUID(str(signed_in.user.id)), RegisterSize())
        print(
            f"  {name}: 10,000 people and 50,000 appearances written in {time.perf_counter() - began:.1f} s"
        )
        unused: Any = None
        state = AppState(
            settings=Settings(data_dir=directory, public_url="http://localhost"), secret=_SECRET,
            storage=LocalStorage(directory), redis=unused, progress_hub=unused,
        )  # fmt: skip
        asker = Asker(make_schema(QueryLimits()), state, signed_in.access_token.token)
        for title, query in QUERIES.items():
            await _print_query(asker, title, f"{{ {query} }}", rounds)
    finally:
        await disconnect()


async def _print_query(asker: Asker, title: str, query: str, rounds: int) -> None:
    for _ in range(3):
        answer = await asker.ask(query)
    with counted_statements() as statements:
        await asker.ask(query)
    times, cpu = [], []
    collect_rarely()
    for _ in range(rounds):
        began, began_cpu = time.perf_counter(), time.process_time()
        await asker.ask(query)
        times.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) * 1000)
    p99, p99_cpu = (statistics.quantiles(values, n=100)[98] for values in (times, cpu))
    print(
        f"    {title:<36} p50 {statistics.median(times):6.1f}  p99 {p99:6.1f}   "
        f"processor {statistics.median(cpu):5.1f} and {p99_cpu:5.1f}   "
        f"{len(statements)} statements, {len(answer) // 1024} KiB"
    )


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    client: Any = connections.get("default")
    statements: list[str] = []
    names = ("read_values", "execute_query", "execute_query_dict", "execute_insert", "execute_many")
    plain = {name: getattr(client, name) for name in names if hasattr(client, name)}

    def counting(run: Any) -> Any:
        def run_counted(sql: str, *given: Any) -> Any:
            statements.append(sql)
            return run(sql, *given)

        return run_counted

    for name, run in plain.items():
        setattr(client, name, counting(run))
    try:
        yield statements
    finally:
        for name in plain:
            delattr(client, name)


if __name__ == "__main__":
    print_people_page(*map(int, sys.argv[1:]))
