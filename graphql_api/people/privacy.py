"""Deleting people, and handing out all that is kept of them."""

from datetime import UTC, datetime

import strawberry

from domain.people.deletion import delete_person
from domain.people.export import permit_export
from graphql_api.context import Info
from graphql_api.deletions import DeletePayload, late_write_seconds
from graphql_api.errors import Payload
from graphql_api.fields import mutation
from graphql_api.http.links import base_url
from graphql_api.http.signed_urls import expiry
from graphql_api.people.exports import export_url
from graphql_api.relay import require_uuid


@strawberry.type(description="The result of asking for all data about a person.")
class ExportPersonPayload(Payload):
    url: str | None = strawberry.field(
        default=None,
        description="A link to a zip with `person.json` and the pictures of the face, signed and expiring; "
        "null if it did not work.",
    )
    expires_at: datetime | None = strawberry.field(default=None, description="Until when the link works.")


@strawberry.type
class PrivacyMutations:
    @mutation(
        "Delete a person with all appearances, pictures, descriptions of the face, answers, and what the "
        "history says of them, for good: nothing undoes it. What was stored of analyses does not bring them "
        "back, unless `recreatePeople` asks for it.",
        counted=True,
    )
    async def delete_person(self, info: Info, id: strawberry.ID) -> DeletePayload:
        await delete_person(
            info.context.state.storage,
            info.context.user_id,
            require_uuid(id, "Person", "id"),
            late_write_seconds=late_write_seconds(info),
            caller=info.context.caller,
        )
        return DeletePayload(deleted_id=id)

    @mutation(
        "Get all that is kept of a person: personal data, when and where they were seen, who changed what, "
        "and the pictures. Descriptions of the face (embeddings) are left out.",
        counted=True,
    )
    async def export_person(self, info: Info, id: strawberry.ID) -> ExportPersonPayload:
        context = info.context
        expires_at = expiry(context.state.settings.file_url_seconds)
        export_id = await permit_export(
            context.user_id,
            require_uuid(id, "Person", "id"),
            expires_at=datetime.fromtimestamp(expires_at, UTC),
            caller=context.caller,
        )
        url = export_url(export_id, expires_at, base_url=base_url(context), secret=context.state.secret)
        return ExportPersonPayload(url=url, expires_at=datetime.fromtimestamp(expires_at, UTC))
