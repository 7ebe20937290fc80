"""The audit log at the edge: everybody reads the entries about themselves."""

from datetime import datetime
from typing import Self

import strawberry

from domain.accounts import audit
from domain.accounts.audit import AuditKind
from graphql_api.context import Info
from graphql_api.fields import field
from graphql_api.relay import Connection, global_id, paginate

strawberry.enum(AuditKind, description="What happened.")

_SUBJECT_TYPES = {
    AuditKind.VIDEO_DELETED: "Video",
    AuditKind.ANALYSIS_DELETED: "Analysis",
    AuditKind.ACCOUNT_DELETED: "User",
}


@strawberry.type(description="Something that matters for the security of your account.")
class AuditEntry:
    kind: AuditKind = strawberry.field(description="What happened.")
    created_at: datetime = strawberry.field(description="When it happened.")
    address: str | None = strawberry.field(description="The network address that the request came from.")
    user_agent: str | None = strawberry.field(description="The program that sent it, as it calls itself.")
    subject_id: strawberry.ID | None = strawberry.field(description="The id of what was deleted.")

    @classmethod
    def from_row(cls, row: audit.AuditEntry) -> Self:
        """The entry in this row."""
        type_name = _SUBJECT_TYPES.get(row.kind)
        return cls(
            kind=row.kind,
            created_at=row.created_at,
            address=row.address,
            user_agent=row.user_agent,
            subject_id=None
            if type_name is None or row.subject_id is None
            else global_id(type_name, row.subject_id),
        )


@strawberry.type
class AuditQueries:
    @field(
        "Sign-ins to your account, failed ones too, and what else matters for its security, newest first, as "
        "far back as it is kept.",
        signed_in=True,
    )
    async def audit_log(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[AuditEntry]:
        rows = audit.entries_about(info.context.user_id)
        return await paginate(rows, AuditEntry.from_row, first=first, after=after)
