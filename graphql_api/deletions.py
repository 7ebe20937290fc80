"""Deleting videos, analyses and accounts."""

import strawberry

from domain import content_deletion
from domain.account_deletion import delete_account
from graphql_api.context import Info
from graphql_api.errors import Payload
from graphql_api.fields import mutation
from graphql_api.relay import global_id, require_uuid

_LEASES_UNTIL_NOTICED = 3
"""After so many lives of a lease every worker has noticed that its work is gone."""


@strawberry.type(description="The result of a deletion.")
class DeletePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of what is gone; null if it did not work."
    )


@strawberry.type
class DeletionMutations:
    @mutation("Delete a video with all analyses of it. Running ones stop.", counted=True)
    async def delete_video(self, info: Info, id: strawberry.ID) -> DeletePayload:
        state, key = info.context.state, require_uuid(id, "Video", "id")
        await content_deletion.delete_video(
            state.storage,
            info.context.user_id,
            key,
            late_write_seconds=late_write_seconds(info),
            caller=info.context.caller,
        )
        return DeletePayload(deleted_id=id)

    @mutation("Delete an analysis with its results. If it is running, it stops.", counted=True)
    async def delete_analysis(self, info: Info, id: strawberry.ID) -> DeletePayload:
        state, key = info.context.state, require_uuid(id, "Analysis", "id")
        await content_deletion.delete_analysis(
            state.storage,
            info.context.user_id,
            key,
            late_write_seconds=late_write_seconds(info),
            caller=info.context.caller,
        )
        return DeletePayload(deleted_id=id)

    @mutation(
        "Delete your account with everything in it, for good. All its sessions end, running analyses stop."
    )
    async def delete_account(self, info: Info, password: str) -> DeletePayload:
        viewer = await info.context.require_viewer()
        state, caller = info.context.state, info.context.caller
        async with state.password_guard.password(viewer.user.username, caller):
            await delete_account(
                state.storage,
                viewer.user,
                password,
                late_write_seconds=late_write_seconds(info),
                caller=caller,
            )
        info.context.cookies.clear()
        return DeletePayload(deleted_id=global_id("User", viewer.user.id))


def late_write_seconds(info: Info) -> float:
    """For so long a worker that has not noticed a deletion may still write files."""
    return _LEASES_UNTIL_NOTICED * info.context.state.settings.lease_seconds
