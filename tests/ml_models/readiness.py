"""Whether a model can be tested here, and what it leaves behind."""

import ctypes
import gc
import os
from pathlib import Path

import pytest

from ml_models.catalog import CATALOG
from ml_models.weights import is_ready

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS_DIR = Path(os.environ.get("FRAMEWISE_TEST_WEIGHTS", REPOSITORY.parent / "shared" / "models"))

TEST_SET = {
    "yunet-2026may",
    "yunet-2023mar",
    "opencv-haar-face",
    "opencv-hog-person",
    "yolox-nano",
    "nanodet-m-416",
    "dlib-hog-face",
    "dlib-resnet",
    "mobilefacenet",
    "person-reid-0288",
}
"""Models that can be tested everywhere; the others are where somebody has their weights and packages."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


def models_here(wanted):
    """Those of the catalogue that are wanted and can be tested here; for `pytest.mark.parametrize`."""
    return [spec for spec in CATALOG if wanted(spec) and is_ready(spec, WEIGHTS_DIR)]


def models_missing(wanted):
    """The others that are wanted."""
    return [spec for spec in CATALOG if wanted(spec) and not is_ready(spec, WEIGHTS_DIR)]


def skip_missing(spec):
    """Skip with what is missing; in CI that is a failure for models of the test set."""
    message = f"{WEIGHTS_DIR} holds no {spec.weights.file_name}" if spec.weights else "it needs no weights"
    if not spec.is_installed:
        message = f"{spec.name} needs: {spec.extra.how_to_install}"
    pytest.fail(message) if os.environ.get("CI") and spec.name in TEST_SET else pytest.skip(message)


def bytes_kept(use, times):
    """By how much the memory of this process grew, per call, over calls after the first two."""
    for _ in range(2):
        use()
    before = _resident_bytes()
    for _ in range(times):
        use()
    return (_resident_bytes() - before) / times


def _resident_bytes():
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
