"""A video in a headless Chromium: what the page says of it once its first frame is there."""

import json
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.clients.node import skip_or_fail

_NAMES = ("chromium", "chromium-browser", "google-chrome")

# A page's load event waits for the first frame of its videos, and `--dump-dom` waits for that event.
_PAGE = """<!doctype html><meta charset="utf-8"><pre></pre>
<script>
  const video = document.createElement("video");
  const say = (found) => (document.querySelector("pre").textContent = JSON.stringify(found));
  video.preload = "auto";
  video.onerror = () => say({error: video.error.message || "it cannot be played"});
  video.onloadeddata = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    const mean = [0, 1, 2].map((channel) => {
      let sum = 0;
      for (let i = channel; i < data.length; i += 4) sum += data[i];
      return sum / (data.length / 4);
    });
    say({width: video.videoWidth, height: video.videoHeight, duration: video.duration, mean});
  };
  document.body.append(video);
  video.src = "VIDEO";
</script>
"""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def play(video: Path, folder: Path) -> dict[str, Any]:
    """Size, length and the mean red, green and blue of the first frame; or why it cannot be played.

    `folder` is an empty one for the page and the browser's profile.
    """
    chromium = next(filter(None, map(shutil.which, _NAMES)), None)
    if chromium is None:
        skip_or_fail("The test of the overlay needs Chromium on PATH.")
    site = folder / "site"
    site.mkdir()
    shutil.copy(video, site / "video.mp4")
    (site / "index.html").write_text(_PAGE.replace("VIDEO", "video.mp4"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            command = [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={folder}/profile",
            ]
            address = f"http://127.0.0.1:{server.server_port}/index.html"
            done = subprocess.run(
                [*command, "--dump-dom", address], capture_output=True, text=True, timeout=120
            )
        finally:
            server.shutdown()
    found = re.search(r"<pre>(.+?)</pre>", done.stdout)
    assert found, f"the video never came to its first frame: {done.stdout} {done.stderr[-2000:]}"
    return json.loads(found[1])
