"""A repeated upload makes no second video: on SQLite and PostgreSQL."""

import asyncio

import pytest

from domain.errors import IdempotencyMismatchError, LimitExceededError, NotSignedInError
from domain.videos.idempotency import UploadKey
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, create_rejected_video, create_video
from tests.domain.making import events, keys, make_user, upload


async def test_the_same_key_gives_the_same_video(database, storage):
    ada = await make_user()
    first = await upload(storage, ada, b"one", UploadKey("k", 0, "f"))
    second = await upload(storage, ada, b"two", UploadKey("k", 1, "f"))
    again = [
        await upload(storage, ada, data, UploadKey("k", n, "f")) for n, data in enumerate((b"one", b"two"))
    ]
    assert [video.id for video in again] == [first.id, second.id]
    assert await keys(storage) == {first.storage_key, second.storage_key}
    assert await events(ada.id) == ["VIDEO_UPLOADED"] * 2


async def test_keys_are_an_accounts_own(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    videos = [await upload(storage, owner, b"one", UploadKey("k", 0, owner.username)) for owner in (ada, bob)]
    assert videos[0].id != videos[1].id


@pytest.mark.parametrize("index", [0, 1])
async def test_another_input_with_the_key_is_refused(database, storage, index):
    ada = await make_user()
    await upload(storage, ada, b"one", UploadKey("k", 0, "f"))
    with pytest.raises(IdempotencyMismatchError) as caught:
        await upload(storage, ada, b"one", UploadKey("k", index, "g"))
    assert caught.value.path == ("idempotency_key",)
    assert await Video.all().count() == 1


async def test_the_same_request_many_times_at_once_makes_one_video(database, storage):
    ada = await make_user()
    for turn in range(5):
        key = UploadKey(f"k{turn}", 0, "f")
        videos = await asyncio.gather(*(upload(storage, ada, b"%d" % turn, key) for _ in range(6)))
        assert len({str(video.id) for video in videos}) == 1
    assert await Video.all().count() == 5
    assert len(await keys(storage)) == 5


async def test_a_replay_needs_no_room(database, storage):
    ada = await make_user()
    new = NewVideo("a.mp4", "uploads/a", 3, "ab" * 32)
    key = UploadKey("k", 0, "f")
    first = await create_video(ada.id, new, max_videos_per_user=1, upload_key=key)
    again = await create_video(ada.id, new, max_videos_per_user=1, upload_key=key)
    assert again.id == first.id
    with pytest.raises(LimitExceededError):
        await create_video(ada.id, new, max_videos_per_user=1, upload_key=UploadKey("k", 1, "f"))


async def test_a_file_that_was_turned_away_is_told_of_once(database):
    ada = await make_user()
    key = UploadKey("k", 0, "f")
    first = await create_rejected_video(ada.id, "big.mp4", 10**12, "It is too large.", upload_key=key)
    again = await create_rejected_video(ada.id, "big.mp4", 10**12, "It is too large.", upload_key=key)
    assert (again.id, again.status) == (first.id, VideoStatus.REJECTED)
    assert await events(ada.id) == ["VIDEO_REJECTED"]


async def test_an_account_that_is_gone_gets_no_video(database, storage):
    ada = await make_user()
    await ada.delete()
    with pytest.raises(NotSignedInError):
        await upload(storage, ada)
