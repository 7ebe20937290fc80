"""What ended processes left behind is cleared away; what is in use stays."""

import os
import subprocess
import time

from tasks.housekeeping import keep_house, remove_unowned_uploads
from tests.tasks.harness import harness

TWO_DAYS_SECONDS = 2 * 86400


async def test_old_leftovers_go_and_the_rest_stays(tmp_path, media_dir):
    async with harness(tmp_path / "data", None) as work:
        video = await work.add_video(media_dir / "gestures" / "eat.mkv")
        await work.runtime.storage.put("uploads/orphan", b"nobody's")
        await work.runtime.storage.put("uploads/young", b"being uploaded")
        long_ago = time.time() - TWO_DAYS_SECONDS
        for key in (str(video.storage_key), "uploads/orphan"):
            os.utime(tmp_path / "data" / "files" / key, (long_ago, long_ago))
        dead = subprocess.Popen(["true"])
        dead.wait()
        for pid in (dead.pid, os.getpid()):
            (tmp_path / "data" / "scratch" / str(pid) / "summary-x").mkdir(parents=True)
        await keep_house(work.runtime)
        left = {key async for key in work.runtime.storage.list("uploads")}
        assert left == {str(video.storage_key), "uploads/young"}
        assert [path.name for path in (tmp_path / "data" / "scratch").iterdir()] == [str(os.getpid())]
        assert await remove_unowned_uploads(work.runtime, older_than_seconds=-1) == 1
