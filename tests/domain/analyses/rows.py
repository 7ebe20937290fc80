"""Rows to claim, without videos behind them."""

from uuid import uuid4

from domain.accounts.models import User
from domain.analyses import claims
from domain.analyses.advances import claim_advance, plan_segments, release_advance
from domain.analyses.models import Analysis
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.leases import Lease
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, create_video

LEASE_SECONDS = 30.0
SETTINGS = AnalysisSettings("opencv-haar-face")


async def make_user(name: str = "ada") -> User:
    return await User.create(username=name, username_key=name, password_hash="x")


async def upload(owner: User, size_bytes: int = 10) -> Video:
    new = NewVideo("clip.mp4", f"uploads/{uuid4()}", size_bytes, uuid4().hex * 2)
    return await create_video(owner.id, new, max_videos_per_user=1000)


async def make_video(owner: User) -> Video:
    video = await upload(owner)
    await Video.filter(id=video.id).update(status=VideoStatus.READY, time_base="1/10", average_fps=10.0)
    return await Video.get(id=video.id)


async def make_analysis(owner: User, segments: int = 2, *, priority: int = 0) -> Analysis:
    analysis = await create_analysis(owner.id, await make_video(owner), SETTINGS, priority=priority)
    lease, _ = await advance(owner)
    assert lease.id == analysis.id
    plans = [({"number": number, "start_pts": 5 * number}, 5) for number in range(segments)]
    assert await plan_segments(lease, plans, 5 * segments)
    assert await release_advance(lease, due=False)
    return await Analysis.get(id=analysis.id)


async def claim() -> claims.ClaimedSegment:
    claimed = await claims.claim_segment(LEASE_SECONDS)
    assert claimed is not None
    return claimed


async def advance(owner: User) -> tuple[Lease, Analysis]:
    claimed = await claim_advance(owner.id, LEASE_SECONDS)
    assert claimed is not None
    return claimed
