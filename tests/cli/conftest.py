from collections.abc import Iterator

import pytest

from tests.cli import stand_in
from tests.cli.stand_in import LOGIN, World


@pytest.fixture
def world() -> World:
    return World(accounts={LOGIN.username: LOGIN.password})


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with stand_in.running(world) as address:
        yield address
