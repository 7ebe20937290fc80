"""Who may use a field."""

from typing import Any

from strawberry.permission import BasePermission

from domain.errors import ForbiddenError, NotSignedInError
from graphql_api.context import Info


class IsSignedIn(BasePermission):
    """Lets only a signed-in user use the field; others get a top-level `UNAUTHENTICATED` error.

    Below such a field `info.context.user_id` may be read.
    """

    async def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        """Whether there is a viewer; a token that is given but not valid says what is wrong with it."""
        return await info.context.viewer() is not None

    def on_unauthorized(self) -> None:
        """Refuse."""
        raise NotSignedInError


class IsAdmin(BasePermission):
    """Lets only administrators use the field; others who are signed in get a top-level `FORBIDDEN` error."""

    async def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        """Whether the viewer is one."""
        viewer = await info.context.viewer()
        return viewer is not None and bool(viewer.user.is_admin)

    def on_unauthorized(self) -> None:
        """Refuse."""
        raise ForbiddenError("Only administrators may do this.")
