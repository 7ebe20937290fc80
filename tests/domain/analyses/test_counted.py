"""What lines and zones counted is kept with the claim, and forgotten with the tracks."""

import pytest

from domain.analyses.advances import forget_plan, release_advance
from domain.analyses.claims import finish_segment
from domain.analyses.models import Analysis
from domain.analyses.tracks import record_tracked_segment, restart_tracking
from tests.domain.analyses.rows import advance, claim, make_analysis, make_user

COUNTED = {"lines": [{"name": "door", "in": 2, "out": 1, "by_label": {"Hund 🐕": [2, 1]}}], "zones": []}


@pytest.fixture
async def claimed(database):
    owner = await make_user()
    analysis = await make_analysis(owner)
    segment = await claim()
    assert await finish_segment(segment.lease, 5, {})
    lease, _ = await advance(owner)
    return analysis, lease


async def test_counts_come_back_as_they_were(claimed):
    analysis, lease = claimed
    assert await record_tracked_segment(lease, 0, [], {}, counted=COUNTED)
    assert (await Analysis.get(id=analysis.id)).counted == COUNTED


async def test_who_lost_the_claim_counts_nothing(claimed):
    analysis, lease = claimed
    await Analysis.filter(id=analysis.id).update(fence=lease.fence + 1)
    assert not await record_tracked_segment(lease, 0, [], {}, counted=COUNTED)
    assert (await Analysis.get(id=analysis.id)).counted is None


@pytest.mark.parametrize("again", ["tracking", "planning"])
async def test_what_begins_anew_has_counted_nothing(again, claimed):
    analysis, lease = claimed
    assert await record_tracked_segment(lease, 0, [], {}, counted=COUNTED)
    if again == "tracking":
        assert await restart_tracking(lease)
    else:
        await release_advance(lease, due=True)
        await forget_plan(analysis.video_id)
    assert (await Analysis.get(id=analysis.id)).counted is None
