"""Beginning to identify the faces of an analysis, for the first time or anew."""

from collections.abc import Collection
from uuid import UUID

from domain.leases import Lease
from domain.people.models import Appearance
from domain.sql import fetch_rows


async def begin_identifying(lease: Lease) -> None:
    """Take no appearance of this analysis for final: those that are not seen again go when it has ended.

    It has some only if it was begun before. A lost claim, or one that has got further, changes nothing.
    """
    await fetch_rows(
        "UPDATE appearances SET is_final = FALSE WHERE analysis_id = $1 AND EXISTS "
        "(SELECT 1 FROM analyses a WHERE a.id = $1 AND a.fence = $2 AND a.identified_segments = 0) "
        "RETURNING id",
        lease.id,
        lease.fence,
    )


async def restart_identifying(lease: Lease) -> bool:
    """Have every segment's faces identified anew; False when the claim was lost.

    It counts as an interruption: what cannot go on from its own state would begin anew for ever.
    """
    rows = await fetch_rows(
        "UPDATE analyses SET identified_segments = 0, interruptions = interruptions + 1 "
        "WHERE id = $1 AND fence = $2 RETURNING id",
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def tracks_in_register(analysis_id: UUID, track_ids: Collection[int] | None = None) -> set[int]:
    """Those of the tracks (None: of all) that are appearances: not all faces are taken up."""
    appearances = Appearance.filter(analysis_id=analysis_id)
    if track_ids is not None:
        appearances = appearances.filter(track_id__in=list(track_ids))
    return {int(str(one)) for one in await appearances.values_list("track_id", flat=True)}
