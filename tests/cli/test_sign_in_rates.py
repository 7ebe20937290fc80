"""Commands that sign in while many do from the same address."""

import pytest

from cli import client as module
from cli.client import FramewiseClient, Login
from cli.errors import RequestRefusedError, SignInError


class Crowded(FramewiseClient):
    """A server that refuses so many sign-ins."""

    def __init__(self, *refusals):
        super().__init__("http://127.0.0.1:1", login=Login("ada", "correct horse"))
        self.refusals = list(refusals)

    async def _new_session(self, document, variables):
        if self.refusals:
            raise self.refusals.pop(0)
        return "a session"


BUSY = RequestRefusedError("Too many (limit: sign_in_rate_per_address)", "LIMIT_EXCEEDED")
LOCKED = RequestRefusedError("Too many failed (limit: sign_in_rate_per_username)", "LIMIT_EXCEEDED")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(module, "_SIGN_IN_PAUSES_SECONDS", (0.0, 0.0))


async def test_it_waits_for_its_turn():
    client = Crowded(BUSY, BUSY)
    await client.sign_in()
    assert client._session == "a session"


async def test_it_does_not_wait_for_ever_and_does_not_take_it_for_a_wrong_password():
    """For a wrong password of the local account, `framewise analyze` makes another account."""
    with pytest.raises(RequestRefusedError):
        await Crowded(BUSY, BUSY, BUSY).sign_in()
    client = Crowded(LOCKED, BUSY)
    with pytest.raises(RequestRefusedError):
        await client.sign_in()
    assert client.refusals == [BUSY]


async def test_a_wrong_password_is_one():
    with pytest.raises(SignInError, match="Cannot sign in as ada"):
        await Crowded(RequestRefusedError("no", "WRONG_CREDENTIALS")).sign_in()
