"""Connections to the database, and its migrations."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tortoise.backends.base.config_generator import expand_db_url
from tortoise.context import TortoiseContext, get_current_context

APP = "framewise"
MODEL_MODULES = (
    "domain.accounts.models",
    "domain.accounts.audit",
    "domain.videos.models",
    "domain.analyses.models",
    "domain.uploads.models",
    "domain.own_models.models",
    "domain.people.models",
    "domain.events",
    "domain.removals",
    "domain.erasure",
    "domain.duties",
)
MIGRATIONS_MODULE = "migrations"

_SQLITE_PRAGMAS = {
    "busy_timeout": 10_000,
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "foreign_keys": "ON",
    "secure_delete": "ON",  # or what was deleted stays in the file until its place is used again
}
_POSTGRES_OPTIONS = {
    "minsize": 0,  # a pool that keeps connections logs a traceback for each it cannot make
    "timeout": 5.0,
    "command_timeout": 30.0,  # a server that hangs would hold its callers for ever
}
_ENGINES: dict[str, tuple[str, dict[str, Any]]] = {
    "tortoise.backends.sqlite": ("domain.engines.sqlite", _SQLITE_PRAGMAS),
    "tortoise.backends.asyncpg": ("domain.engines.asyncpg", _POSTGRES_OPTIONS),
}
"""Engine of Tortoise → ours that takes its place, and the parameters that we set."""

_MIGRATION_LOCK = 0x6672616D65776973  # "framewis": the advisory lock of whoever migrates


def tortoise_config(database_url: str) -> dict[str, Any]:
    """The configuration of Tortoise for a `sqlite://` or `postgres://` URL.

    Parameters in the URL's query win over the defaults set here.
    """
    connection = expand_db_url(database_url)
    engine, defaults = _ENGINES.get(connection["engine"], (connection["engine"], {}))
    credentials = connection["credentials"]
    asked = {key: value for key, value in credentials.items() if f"{key}=" in database_url}
    # The defaults come first as well: how long to wait for locks must be set before what needs one.
    connection.update(engine=engine, credentials={**defaults, **credentials, **defaults, **asked})
    return {
        "connections": {"default": connection},
        "apps": {
            APP: {
                "models": list(MODEL_MODULES),
                "default_connection": "default",
                "migrations": MIGRATIONS_MODULE,
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _is_sqlite(connection: dict[str, Any]) -> bool:
    return bool(connection["engine"] == "domain.engines.sqlite")


TORTOISE_ORM = tortoise_config("sqlite://:memory:")
"""For `tortoise makemigrations`, which compares the models with the migrations and asks no database."""


async def connect(database_url: str) -> None:
    """Open the database for every task and thread of this process.

    Call it on the event loop that will run the queries, once; `disconnect` before that loop ends, or the
    process does not exit.
    """
    # The context is entered only to be made. What a request or an actor sees is the global fallback: each
    # runs in a task of its own, to which a context entered here would be invisible.
    with TortoiseContext() as context:
        await context.init(config=tortoise_config(database_url), _enable_global_fallback=True)


async def disconnect() -> None:
    """Close what `connect` opened; without it, does nothing."""
    context = get_current_context()
    if context is not None:
        await context.close_connections()


async def migrate(database_url: str) -> list[str]:
    """Apply all migrations that the database lacks, and give their names.

    Any number of processes may call it at once: one works, the others wait. On SQLite the foreign keys are
    off meanwhile, because altering a table rebuilds it, and the drop would cascade to its children.
    """
    from tortoise.migrations.executor import MigrationExecutor

    config = tortoise_config(database_url)
    connection = config["connections"]["default"]
    if _is_sqlite(connection):
        connection["credentials"]["foreign_keys"] = "OFF"
    connection["credentials"].pop("command_timeout", None)
    applied: list[str] = []

    def note(event: str, _app_label: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    async with _migration_lock(connection), TortoiseContext() as context:
        await context.init(config=config)
        executor = MigrationExecutor(context.db(), config["apps"])
        await executor.migrate(direction="forward", progress=note)
    return applied


async def missing_migrations(database_url: str) -> list[str]:
    """The names of the migrations that the database lacks; nothing is changed."""
    from tortoise.migrations.executor import MigrationExecutor

    config = tortoise_config(database_url)
    async with TortoiseContext() as context:
        await context.init(config=config)
        steps = await MigrationExecutor(context.db(), config["apps"]).plan()
    return [step.migration.name for step in steps]


def sqlite_file(database_url: str) -> Path | None:
    """The file of a SQLite database; None for a server."""
    connection = tortoise_config(database_url)["connections"]["default"]
    return Path(connection["credentials"]["file_path"]) if _is_sqlite(connection) else None


@asynccontextmanager
async def _migration_lock(connection: dict[str, Any]) -> AsyncIterator[None]:
    credentials = connection["credentials"]
    if _is_sqlite(connection):
        async with _file_lock(f"{credentials['file_path']}.migration-lock"):
            yield
        return
    import asyncpg

    from domain.engines.asyncpg import named_errors

    names = ("host", "port", "user", "password", "database", "ssl")
    with named_errors():
        lock = await asyncpg.connect(**{name: credentials[name] for name in names if credentials.get(name)})
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        yield
    finally:
        await lock.close()


@asynccontextmanager
async def _file_lock(path: str) -> AsyncIterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
