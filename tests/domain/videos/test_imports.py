"""Imports in the tables of both databases."""

import asyncio
import hashlib
import time

import pytest

from domain.analyses.scheduling import next_turn
from domain.errors import IdempotencyMismatchError, LimitExceededError
from domain.leases import Ending
from domain.videos.content import find_source
from domain.videos.idempotency import UploadKey
from domain.videos.imports import claim_import, create_import, finish_import, unfinished_imports
from domain.videos.models import Video, VideoStatus
from domain.videos.service import (
    NewVideo,
    claim_probe,
    reject_video,
    release_probe,
    sweep_expired_probes,
)
from tests.domain.making import events, make_user, upload

URL = "https://example.com/clip.mp4"


async def ask_for(owner, url=URL, *, most=10, key=None):
    return await create_import(
        owner.id, url, "clip.mp4", max_videos_per_user=5, max_imports_per_user=most, upload_key=key
    )


def fetched(data=b"a video", name="real name.mov"):
    return NewVideo(name, "uploads/fetched", len(data), hashlib.sha256(data).hexdigest())


async def test_it_is_claimed_once_fetched_and_then_probed(database):
    ada = await make_user()
    video = await ask_for(ada)
    assert (video.status, video.source_url, video.storage_key) == (VideoStatus.PROBING, URL, None)
    assert await next_turn() is None
    assert await claim_probe(ada.id, 10) is None
    assert await find_source(video.id) is None
    claims = await asyncio.gather(*(claim_import(10, 4) for _ in range(4)))
    lease, claimed = next(claim for claim in claims if claim is not None)
    assert [claim is None for claim in claims].count(False) == 1
    assert claimed.id == video.id
    assert await next_turn() is None
    assert await finish_import(lease, claimed.title, fetched()) == "uploads/fetched"
    turn = await next_turn()
    assert turn is not None
    assert turn.owner_id == ada.id
    probe = await claim_probe(ada.id, 10)
    assert probe is not None
    assert (probe[0].attempts, probe[1].filename, probe[1].title) == (1, "real name.mov", "real name")
    assert await claim_import(10, 4) is None
    assert await events(ada.id) == ["VIDEO_UPLOADED"]


async def test_a_claim_that_was_lost_writes_nothing(database):
    ada = await make_user()
    video = await ask_for(ada)
    lease, _ = await claim_import(-1, 4)
    assert await sweep_expired_probes(10) == []
    again, _ = await claim_import(10, 4)
    assert (again.id, again.interruptions) == (video.id, 1)
    assert await finish_import(lease, "clip", fetched()) is None
    assert not await release_probe(lease, Ending.FAILED)
    assert not await reject_video(lease, "no")
    assert await finish_import(again, "clip", fetched()) == "uploads/fetched"
    # A second time changes nothing, whatever became of the answer to the first one.
    assert await finish_import(again, "clip", fetched()) is None
    assert (await Video.get(id=video.id)).storage_key == "uploads/fetched"


async def test_the_same_content_is_one_file(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    uploaded = await upload(storage, bob)
    await ask_for(ada)
    lease, video = await claim_import(10, 4)
    assert await finish_import(lease, video.title, fetched()) == uploaded.storage_key


async def test_a_title_that_was_changed_stays(database):
    await ask_for(await make_user())
    lease, video = await claim_import(10, 4)
    await Video.filter(id=video.id).update(title="Mine")
    await finish_import(lease, video.title, fetched())
    assert (await Video.get(id=video.id)).title == "Mine"


async def test_a_failed_import_is_told_and_does_not_count(database):
    ada = await make_user()
    for _ in range(3):
        await ask_for(ada, most=1)
        lease, video = await claim_import(10, 4)
        assert await reject_video(lease, "There is no such file.")
    assert not await unfinished_imports().exists()
    assert (await Video.get(id=video.id)).rejection_reason == "There is no such file."
    assert (await events(ada.id))[-2:] == ["VIDEO_UPLOADED", "VIDEO_REJECTED"]


async def test_an_account_may_have_only_so_many(database):
    ada, bob = await make_user("ada"), await make_user("bob")
    for _ in range(2):
        await ask_for(ada, most=2)
    with pytest.raises(LimitExceededError) as caught:
        await ask_for(ada, most=2)
    assert caught.value.limit == "max_imports_per_user"
    for _ in range(5):
        await ask_for(bob)
    with pytest.raises(LimitExceededError) as caught:
        await ask_for(bob)
    assert caught.value.limit == "max_videos_per_user"


async def test_whoever_has_the_fewest_running_comes_first(database):
    ada, bob = await make_user("ada"), await make_user("bob")
    for owner in (ada, ada, ada, bob):
        await ask_for(owner)
    claimed = [(await claim_import(10, 2))[1].owner_id for _ in range(3)]
    assert claimed == [ada.id, bob.id, ada.id]
    assert await claim_import(10, 2) is None
    assert (await claim_import(10, 3))[1].owner_id == ada.id
    assert await Video.filter(lease_expires_at__gt=time.time()).count() == 4


async def test_a_repeated_key_gives_the_first_video(database):
    ada = await make_user()
    key = UploadKey("k", 0, "fingerprint")
    first, *others = await asyncio.gather(*(ask_for(ada, key=key) for _ in range(3)))
    assert {one.id for one in others} == {first.id}
    with pytest.raises(IdempotencyMismatchError):
        await ask_for(ada, key=UploadKey("k", 0, "another"))
