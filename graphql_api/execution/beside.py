"""Work of Python that takes too long for the event loop, in one thread for the whole process.

One, since a second would only wait for Python's lock. So does the loop meanwhile: `cli.api` has it handed
over often.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")


async def beside_the_loop(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What the work gives, one after the other."""
    return await asyncio.get_running_loop().run_in_executor(_thread(), lambda: work(*arguments, **options))
