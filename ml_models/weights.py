"""Files of weights: found, taken from a mirror, or downloaded; never used unless their checksum fits."""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ml_models.catalog import CATALOG, MLModelSpec, Weights, WeightsBuild
from ml_models.checksums import verify_file
from ml_models.errors import WeightsUnavailableError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
_ABANDONED_PART_SECONDS = 3600.0

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes so far and the bytes in all."""


def find_weights(spec: MLModelSpec, weights_dir: Path) -> Path | None:
    """The model's file in `weights_dir` if it is there in its right size; its checksum is not read."""
    return _sized_file(weights_dir, spec.weights) if spec.weights else None


def is_ready(spec: MLModelSpec, weights_dir: Path, mirror: str | None = None) -> bool:
    """Whether the model can start without a download.

    What it needs is installed, and it needs no weights, or they lie in `weights_dir` or in a mirror that is
    a folder.
    """
    if not spec.is_installed:
        return False
    if spec.weights is None or find_weights(spec, weights_dir) is not None:
        return True
    folder = _mirror_folder(mirror)
    return folder is not None and _sized_file(folder, spec.weights) is not None


def ensure_weights(
    spec: MLModelSpec,
    weights_dir: Path,
    mirror: str | None = None,
    on_progress: ProgressCallback | None = None,
) -> Path:
    """The path of the model's weights, checked; they are downloaded into `weights_dir` if need be.

    Looks in `weights_dir`, then in the mirror (a folder, whose file is used where it lies, or a URL under
    which files have their official names), then at the addresses that the catalogue names.

    Raises:
        WeightsUnavailableError: None of these has the file; the message says why and what can be done.
        WeightsCorruptError: A file that lies in one of the folders is not the one the catalogue names.
        ValueError: The model needs no weights.
    """
    weights = spec.weights
    if weights is None:
        raise ValueError(f"model {spec.name} needs no weights")
    folder = _mirror_folder(mirror)
    for directory in (weights_dir, folder):
        path = _sized_file(directory, weights) if directory else None
        if path is not None:
            known = [build.sha256 for build in weights.builds]
            verify_file(path, known, "delete it and run `framewise models pull`")
            return path
    tried = [_seen(weights_dir / weights.file_name, weights)]
    downloads = [(build.url, [build]) for build in weights.builds if build.url]
    if folder:
        tried.append(_seen(folder / weights.file_name, weights))
    elif mirror:
        downloads.insert(0, (f"{mirror.rstrip('/')}/{weights.file_name}", list(weights.builds)))
    for url, builds in downloads:
        try:
            return _download(url, weights.file_name, builds, weights_dir, on_progress)
        except _DownloadError as error:
            tried.append(f"{url} ({error})")
    raise WeightsUnavailableError(_unavailable_message(spec, tried))


class _DownloadError(Exception):
    """Raised when one URL does not give the file."""


def _sized_file(directory: Path, weights: Weights) -> Path | None:
    path = directory / weights.file_name
    sizes = [build.size_bytes for build in weights.builds]
    try:
        return path if path.is_file() and path.stat().st_size in sizes else None
    except OSError:
        return None


def _seen(path: Path, weights: Weights) -> str:
    """The path, and what is wrong with the file there if there is one."""
    sizes = _either(build.size_bytes for build in weights.builds)
    try:
        return f"{path} (it has {path.stat().st_size} bytes, not {sizes}: not the right file)"
    except OSError:
        return f"{path} (not there)"


def _either(values: Iterable[object]) -> str:
    return " or ".join(map(str, values))


def _mirror_folder(mirror: str | None) -> Path | None:
    if not mirror:
        return None
    parts = urlsplit(mirror)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme in {"http", "https"} else Path(mirror)


def _unavailable_message(spec: MLModelSpec, tried: list[str]) -> str:
    weightless = ", ".join(
        other.name
        for other in CATALOG
        if not (other.weights or other.requires_extra) and other.task.is_detection == spec.task.is_detection
    )
    file_name = spec.weights.file_name if spec.weights else ""
    instead = f", or use a model that needs no weights: {weightless}" if weightless else ""
    if spec.weights and not spec.weights.url:
        tried.append("nobody publishes this file under an address of its own")
    return (
        f"The weights of {spec.name} cannot be found. Tried: {'; '.join(tried)}. "
        f"Set FRAMEWISE_WEIGHTS_MIRROR to a folder or URL that holds {file_name}{instead}"
    )


def _download(
    url: str,
    file_name: str,
    builds: Sequence[WeightsBuild],
    weights_dir: Path,
    on_progress: ProgressCallback | None,
) -> Path:
    """Stream `url` into a temporary file of `weights_dir`, check that it is a build, then give it its name.

    The last step is atomic, so processes that download the same file at once each end with a whole one.
    """
    try:
        weights_dir.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_parts(weights_dir, file_name)
        descriptor, name = tempfile.mkstemp(dir=weights_dir, prefix=f".{file_name}.", suffix=".part")
    except OSError as error:
        raise WeightsUnavailableError(f"cannot write to {weights_dir}: {error}") from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = _stream(url, [build.size_bytes for build in builds], file.write, on_progress)
            file.flush()
            os.fsync(file.fileno())
        known = [build.sha256 for build in builds]
        if digest not in known:
            raise _DownloadError(f"its SHA-256 is {digest}, expected {_either(known)}")
        part.chmod(0o644)
        return part.rename(weights_dir / file_name)
    except OSError as error:
        raise WeightsUnavailableError(f"cannot write to {weights_dir}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _stream(
    url: str, sizes: Sequence[int], write: Callable[[bytes], object], on_progress: ProgressCallback | None
) -> str:
    """Pass what `url` gives to `write`, never more than the largest size; returns its SHA-256."""
    import httpx  # here, because the API process asks `is_ready` often and downloads never

    digest = hashlib.sha256()
    done = 0
    timeout = httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
    try:
        with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response:
            if response.status_code != httpx.codes.OK:
                raise _DownloadError(f"HTTP {response.status_code}")
            total = _announced(response.headers.get("content-length"), sizes)
            for chunk in response.iter_bytes():
                done += len(chunk)
                if done > max(sizes):
                    raise _DownloadError(f"it is larger than {max(sizes)} bytes")
                digest.update(chunk)
                write(chunk)
                if on_progress:
                    on_progress(done, total)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _DownloadError(f"{type(error).__name__}: {error}") from error
    if done not in sizes:
        raise _DownloadError(f"it is {done} bytes long, expected {_either(sizes)}")
    return digest.hexdigest()


def _announced(length: str | None, sizes: Sequence[int]) -> int:
    """The size that the server says it sends, if it is one of these; else the largest of them."""
    return next((size for size in sizes if str(size) == length), max(sizes))


def _remove_abandoned_parts(weights_dir: Path, file_name: str) -> None:
    """Remove what processes killed in the middle of a download left."""
    for part in weights_dir.glob(f".{file_name}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_PART_SECONDS:
                part.unlink()
