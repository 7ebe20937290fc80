import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import StorageConfigurationError
from storage.factory import create_storage
from storage.local import LocalStorage
from storage.s3 import S3Storage
from tests.conftest import REPOSITORY


async def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space & Ü"
    storage = create_storage(folder.as_uri() + "?fsync=true")
    assert isinstance(storage, LocalStorage)
    await storage.put("a", b"x")
    assert (folder / "a").read_bytes() == b"x"


def test_a_bucket() -> None:
    storage = create_storage("s3://bucket/some/prefix/?endpoint_url=http://127.0.0.1:8333&region=eu-1")
    assert isinstance(storage, S3Storage)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no storage URL"),
        ("/srv/files", "no storage URL"),
        ("ftp://host/x", "no storage URL"),
        ("https://user:secret@host/x", "no storage URL"),
        ("file://host/x", "no folder of this machine"),
        ("file:relative", "no folder of this machine"),
        ("file:///x?fsync=maybe", "true or false"),
        ("file:///x?sync=true", "'sync' is no storage option; there are fsync"),
        ("s3:///prefix", "names no bucket"),
        ("s3://key:secret@/prefix", "names no bucket"),
        ("s3://bucket?endpoint=http://x", "'endpoint' is no storage option"),
        ("s3://bucket/a/../b", "no storage key"),
        ("s3://bucket?addressing_style=odd", "addressing_style"),
    ],
)
def test_what_is_no_storage(url: str, message: str) -> None:
    with pytest.raises(StorageConfigurationError, match=message) as caught:
        create_storage(url)
    assert "secret" not in str(caught.value)


def test_boto_is_loaded_for_s3_only() -> None:
    code = (
        "import sys; from storage.factory import create_storage; create_storage('file:///x');"
        "sys.exit(any(name in sys.modules for name in ('botocore', 'aioboto3', 'cv2', 'settings')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0
