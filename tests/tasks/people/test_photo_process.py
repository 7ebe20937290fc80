"""The process in which photos are looked at."""

import asyncio
import os
import signal

import pytest
from PIL import Image

from domain.errors import ErrorCode, InvalidError, LimitExceededError, ModelUnavailableError
from tasks.people import photo_process
from tests import photos
from tests.databases import connected
from tests.domain.people.face_index.registers import MadeRegister
from tests.tasks.people.searching import Searched, searched_people


@pytest.fixture
async def searched(tmp_path, media_dir, weights_dir):
    async with searched_people(tmp_path, media_dir, weights_dir) as made:
        yield made


async def test_a_photo_that_takes_its_process_down_harms_nobody_else(searched, media_dir):
    data = photos.encoded(photos.opened(media_dir / "obama.jpg"))
    searched.photos._settings = searched.settings.model_copy(update={"max_photo_pixels": 2**62})
    searched.process._settings = searched.settings.model_copy(update={"analysis_process_memory_bytes": 2**30})
    await searched.photos.close()
    code, path, message = await searched.error(photos.png_of_size(40_000, 40_000, rows=9))
    assert (code, path) == (ErrorCode.UNSUPPORTED_MEDIA, ("photo",))
    assert "save it anew" in message.lower()
    assert (await searched.best(data))[0] == "obama"
    # One that somebody ends is tried again in another process.
    os.kill(searched.process.pid, signal.SIGKILL)
    assert (await searched.best(data))[0] == "obama"


async def test_photos_take_turns_and_only_so_many_wait(searched, media_dir, monkeypatch):
    data = photos.encoded(photos.opened(media_dir / "obama.jpg"))
    monkeypatch.setattr(photo_process, "MOST_WAITING", 3)
    found = await asyncio.gather(*(searched.best(data) for _ in range(5)), return_exceptions=True)
    refused = [one for one in found if isinstance(one, LimitExceededError)]
    assert len(refused) == 2
    assert "Try again" in refused[0].message
    assert [one for one in found if one not in refused] == [("obama", 1, 0)] * 3
    # Somebody who goes away leaves no process that is at work for nobody.
    going = asyncio.create_task(searched.search(photos.encoded(Image.new("RGB", (7000, 7000)))))
    await asyncio.sleep(0.1)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert (await searched.best(data))[0] == "obama"


async def test_the_process_ends_when_it_is_idle_and_comes_back(tmp_path, media_dir, weights_dir):
    data = photos.encoded(photos.opened(media_dir / "obama.jpg"))
    async with connected(f"sqlite://{tmp_path / 'test.sqlite3'}"):
        searched = Searched(tmp_path, weights_dir)
        searched.process._idle_seconds = 0.2
        await searched.storage.prepare()
        searched.made = await MadeRegister.make()
        assert searched.process.pid is None
        await searched.search(data)
        first = searched.process.pid
        assert first is not None
        while searched.process.pid is not None:
            await asyncio.sleep(0.05)
        await searched.search(data)
        assert searched.process.pid not in (None, first)
        await searched.photos.close()
        assert searched.process.pid is None


async def test_an_installation_without_matching_or_models_says_so(tmp_path, weights_dir, media_dir):
    data = photos.encoded(photos.opened(media_dir / "obama.jpg"))
    async with connected(f"sqlite://{tmp_path / 'test.sqlite3'}"):
        made = await MadeRegister.make()
        off = Searched(tmp_path, weights_dir, face_matching=False)
        bare = Searched(tmp_path, tmp_path / "none", weights_mirror="", face_embedding_model="mobilefacenet")
        for searched in (off, bare):
            searched.made = made
        await off.storage.prepare()
        with pytest.raises(InvalidError, match="FACE_MATCHING"):
            await off.search(data)
        with pytest.raises(ModelUnavailableError, match="mobilefacenet"):
            await bare.search(data)
        assert off.process.pid is None
        await bare.photos.close()
