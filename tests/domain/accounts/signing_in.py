"""An account's settings and password, as the tests use them."""

from domain.accounts import sessions
from domain.accounts.sessions import AccountSettings

SETTINGS = AccountSettings(secret=b"s" * 32, access_token_seconds=900, refresh_token_seconds=3600)
PASSWORD = "correct horse"


async def viewer_of(signed_in: sessions.SignedIn) -> sessions.Viewer:
    """Who its access token stands for."""
    return await sessions.authenticate(signed_in.access_token.token, SETTINGS.secret)
