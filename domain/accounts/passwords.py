"""Password hashes: Argon2id, off the event loop and only a few at a time."""

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 64 MiB and two passes on one lane: above OWASP's minimum (19 MiB, two passes), and a sign-in takes one core
# from running analyses, not several.
_hasher = PasswordHasher(time_cost=2, memory_cost=64 * 1024, parallelism=1)
# Two at a time bound the memory and the cores that a flood of sign-ins can take.
_executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """The hash to store, with its parameters and salt."""
    return await asyncio.get_running_loop().run_in_executor(_executor, _hasher.hash, _normal(password))


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one that was hashed. Without a hash it is False, after the same time."""
    return await asyncio.get_running_loop().run_in_executor(_executor, _verify, password, password_hash)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _verify(password: str, password_hash: str | None) -> bool:
    try:
        matches = _hasher.verify(password_hash or _hash_of_nothing(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


@cache
def _hash_of_nothing() -> str:
    return _hasher.hash(secrets.token_bytes(16))


def _normal(password: str) -> bytes:
    """The same bytes for the same characters, whichever way a keyboard composes them."""
    return unicodedata.normalize("NFKC", password).encode()
