"""Accounts at the edge: `me`, sign-up, sign-in, sessions, the profile."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain.accounts import models, service, sessions
from domain.errors import WrongCredentialsError
from graphql_api.context import Context, Info
from graphql_api.errors import Payload
from graphql_api.fields import field, mutation
from graphql_api.relay import Node, global_id


@strawberry.type(description="An account.")
class User(Node):
    username: str = strawberry.field(description="The name to sign in with, as the person wrote it.")
    email: str | None = strawberry.field(description="An address to reach the person at.")
    full_name: str | None = strawberry.field(description="The person's name.")
    is_admin: bool = strawberry.field(
        description="Whether it may change what all accounts share, such as the uploaded models."
    )
    created_at: datetime = strawberry.field(description="When the account was made.")

    @classmethod
    def from_row(cls, row: models.User) -> Self:
        """The account in this row."""
        return cls(
            id=global_id("User", row.id),
            username=row.username,
            email=row.email,
            full_name=row.full_name,
            is_admin=bool(row.is_admin),
            created_at=row.created_at,
        )


@strawberry.type(description="A signed-in session.")
class Session:
    access_token: str = strawberry.field(
        description="Send it as `Authorization: Bearer …`. Empty if it is in a cookie: a request with the "
        "header `X-Framewise-Session: cookie` asks for that."
    )
    access_token_expires_at: datetime = strawberry.field(description="When the access token stops working.")
    refresh_token: str = strawberry.field(
        description="Gives the next session, once: see `refreshSession`. Empty if it is in a cookie."
    )
    user: User = strawberry.field(description="Who is signed in.")

    @classmethod
    def of(cls, signed_in: sessions.SignedIn) -> Self:
        """The session as its owner gets it."""
        return cls(
            access_token=signed_in.access_token.token,
            access_token_expires_at=signed_in.access_token.expires_at,
            refresh_token=signed_in.refresh_token,
            user=User.from_row(signed_in.user),
        )


@strawberry.input(description="A new account.")
class SignUpInput:
    username: str = strawberry.field(
        description=(
            "3 to 64 letters, digits (of any script) and . _ - + @, beginning with a letter or digit. "
            "Upper and lower case make no difference."
        )
    )
    password: str = strawberry.field(description="8 to 256 characters.")
    email: str | None = strawberry.field(default=None, description="An e-mail address.")
    full_name: str | None = strawberry.field(default=None, description="1 to 200 characters.")


@strawberry.input(description="Who wants to sign in.")
class SignInInput:
    username: str = strawberry.field(description="The username, in any case.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="Changes to your account: what is absent stays, null clears.")
class UpdateMeInput:
    email: str | None = strawberry.field(default=strawberry.UNSET, description="An e-mail address.")
    full_name: str | None = strawberry.field(default=strawberry.UNSET, description="1 to 200 characters.")


@strawberry.input(description="A change of password.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The password that works now.")
    new_password: str = strawberry.field(description="8 to 256 characters, another than the current one.")


@strawberry.type(description="The result of signing up or in, or of refreshing a session.")
class SessionPayload(Payload):
    session: Session | None = strawberry.field(
        default=None, description="The session; null if it did not work."
    )


@strawberry.type(description="The result of signing out.")
class SignOutPayload(Payload):
    pass


@strawberry.type(description="The result of a change to your account.")
class UserPayload(Payload):
    user: User | None = strawberry.field(default=None, description="The account; null if it did not work.")


@strawberry.type
class AccountQueries:
    @field("Who is signed in; null if nobody is.")
    async def me(self, info: Info) -> User | None:
        viewer = await info.context.viewer()
        return None if viewer is None else User.from_row(viewer.user)


@strawberry.type
class AccountMutations:
    @mutation("Make an account and sign in.", signed_in=False)
    async def sign_up(self, info: Info, input: SignUpInput) -> SessionPayload:
        settings, caller = _settings(info), info.context.caller
        given = (input.username, input.password, input.email, input.full_name)
        service.check_sign_up(settings, *given)
        await info.context.state.password_guard.sign_up(caller)
        signed_in = await service.sign_up(settings, *given, caller=caller)
        return _session_payload(info, signed_in)

    @mutation("Begin a session.", signed_in=False)
    async def sign_in(self, info: Info, input: SignInInput) -> SessionPayload:
        caller = info.context.caller
        async with info.context.state.password_guard.sign_in(input.username, caller):
            signed_in = await service.sign_in(_settings(info), input.username, input.password, caller=caller)
        return _session_payload(info, signed_in)

    @mutation(
        "Exchange a refresh token for a new access token and a new refresh token. The old one stops working; "
        "used a second time, it ends the session, for somebody else may have it. Without `refreshToken` it "
        "is the one in the cookie.",
        signed_in=False,
    )
    async def refresh_session(self, info: Info, refresh_token: str | None = None) -> SessionPayload:
        caller, token = info.context.caller, _refresh_token(info, refresh_token)
        async with info.context.state.password_guard.token(caller):
            signed_in = await sessions.refresh_session(_settings(info), token, caller=caller)
        return _session_payload(info, signed_in)

    @mutation(
        "End the session of a refresh token; its access tokens stop working too. Without `refreshToken` it "
        "is the one in the cookie, and the cookies are removed.",
        signed_in=False,
    )
    async def sign_out(self, info: Info, refresh_token: str | None = None) -> SignOutPayload:
        info.context.cookies.clear()
        await sessions.sign_out(_refresh_token(info, refresh_token), caller=info.context.caller)
        return SignOutPayload()

    @mutation("Change your account: what is absent in the input stays, null clears.")
    async def update_me(self, info: Info, input: UpdateMeInput) -> UserPayload:
        given = {"email": input.email, "full_name": input.full_name}
        changes = {name: value for name, value in given.items() if value is not strawberry.UNSET}
        viewer = await info.context.require_viewer()
        return UserPayload(user=User.from_row(await service.update_profile(viewer.user, changes)))

    @mutation("Change your password. Your other sessions end; this one goes on.")
    async def change_password(self, info: Info, input: ChangePasswordInput) -> UserPayload:
        viewer = await info.context.require_viewer()
        caller = info.context.caller
        async with info.context.state.password_guard.password(viewer.user.username, caller):
            user = await service.change_password(
                viewer, input.current_password, input.new_password, caller=caller
            )
        return UserPayload(user=User.from_row(user))


async def load_user(context: Context, key: UUID) -> User | None:
    """The node loader of `User`: everybody sees only themselves."""
    viewer = await context.require_viewer()
    return User.from_row(viewer.user) if viewer.user.id == key else None


def _session_payload(info: Info, signed_in: sessions.SignedIn) -> SessionPayload:
    """The answer to whoever signed in: with the tokens, unless they go into cookies."""
    session, cookies = Session.of(signed_in), info.context.cookies
    if cookies.can_set:
        cookies.put(session.access_token, session.refresh_token)
        session.access_token = session.refresh_token = ""
    return SessionPayload(session=session)


def _refresh_token(info: Info, given: str | None) -> str:
    token = given or info.context.cookies.refresh_token()
    if token is None:
        raise WrongCredentialsError("There is no refresh token: sign in again.", ("refresh_token",))
    return token


def _settings(info: Info) -> sessions.AccountSettings:
    state = info.context.state
    return sessions.AccountSettings(
        secret=state.secret,
        access_token_seconds=state.settings.access_token_seconds,
        refresh_token_seconds=state.settings.refresh_token_seconds,
        allow_sign_up=state.settings.allow_sign_up,
    )
