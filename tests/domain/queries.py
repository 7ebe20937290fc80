"""Queries that may meet an outage of the database, and what becomes of them."""

from uuid import uuid4

from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.outages import through_outages
from domain.sql import fetch_rows


async def ask() -> int:
    return (await fetch_rows("SELECT 1 AS one"))[0]["one"]


async def add_user(name: str) -> User:
    return await User.create(id=uuid4(), username=name, username_key=name, password_hash="x")


async def add_user_in_transaction(name: str) -> None:
    async with in_transaction():
        await add_user(name)


async def names() -> list[str]:
    return sorted(await User.all().values_list("username", flat=True))


async def outcome(coroutine) -> BaseException | None:
    try:
        await coroutine
    except Exception as error:
        return error
    return None


async def patiently(operation):
    return await through_outages(operation, patience_seconds=30, what="the test")
