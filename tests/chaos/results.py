"""The result files of an analysis, and how two sets of them differ."""

import asyncio
import hashlib
import re
from pathlib import Path

import av

from tests.chaos.client import PatientApi

FORMATS = ("JSON", "JSONL", "CSV", "PARQUET", "MOT")
_OVERLAY = "OVERLAY"

_LINKS = f"""query($id: ID!) {{ analysis(id: $id) {{ overlayUrl framesDone framesTotal
  {" ".join(f"{name}: resultUrl(format: {name})" for name in FORMATS)} }} }}"""

# The content differs from upload to upload by a few bytes that no decoder reads.
_HASH = re.compile(rb'"sha256":"[0-9a-f]{64}"')


async def fetch_results(api: PatientApi, analysis_id: str) -> dict[str, bytes]:
    """Every result file of an analysis that SUCCEEDED, by format; without the hash of the video."""
    analysis = (await api.data(_LINKS, id=analysis_id))["analysis"]
    assert analysis["framesDone"] == analysis["framesTotal"], analysis
    links = {name: analysis[name] for name in FORMATS}
    if analysis["overlayUrl"]:
        links[_OVERLAY] = analysis["overlayUrl"]
    files = dict(zip(links, await asyncio.gather(*(api.fetch(url) for url in links.values())), strict=True))
    files["JSON"] = _HASH.sub(b'"sha256":"?"', files["JSON"])
    return files


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """The formats whose bytes differ or that only one side has."""
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def same_pictures(expected: bytes, found: bytes, directory: Path) -> bool:
    """Whether two videos decode to the same pictures at the same times."""
    return _pictures(expected, directory) == _pictures(found, directory)


def _pictures(content: bytes, directory: Path) -> tuple[int, str]:
    path = directory / f"{hashlib.sha256(content).hexdigest()}.mp4"
    path.write_bytes(content)
    digest, count = hashlib.sha256(), 0
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                digest.update(f"{frame.pts} {frame.time_base} ".encode())
                digest.update(frame.to_ndarray().tobytes())
                count += 1
    finally:
        path.unlink()
    return count, digest.hexdigest()


def save(files: dict[str, bytes], directory: Path) -> None:
    """Write them down, to look at."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.lower()).write_bytes(content)
