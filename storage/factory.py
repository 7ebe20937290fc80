"""From a URL to a storage."""

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from storage.base import AbstractStorage
from storage.errors import InvalidKeyError, StorageConfigurationError
from storage.keys import check_prefix
from storage.local import LocalStorage

_S3_OPTIONS = {"endpoint_url", "public_endpoint_url", "region", "addressing_style"}
_ADDRESSING_STYLES = ("path", "virtual", "auto")


def create_storage(url: str) -> AbstractStorage:
    """The storage that `url` names.

    ``file:///folder`` takes the option ``fsync=true`` (a file is on the disk before it counts as stored).

    ``s3://bucket/prefix`` takes ``endpoint_url``, ``public_endpoint_url`` (the address that browsers reach
    the same server at), ``region`` and ``addressing_style`` (``path``, ``virtual`` or ``auto``); credentials
    come from ``s3://key:secret@bucket`` or from where AWS tools find them. boto is loaded only then.

    Raises:
        StorageConfigurationError: The URL is no storage URL.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "file":
        return _create_local(url, parts, options)
    if parts.scheme == "s3":
        return _create_s3(url, parts, options)
    raise StorageConfigurationError(
        f"{_safe(url)!r} is no storage URL: use file:///folder or s3://bucket/prefix."
    )


def _create_local(url: str, parts: SplitResult, options: dict[str, str]) -> AbstractStorage:
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise StorageConfigurationError(f"{url!r} names no folder of this machine: use file:///folder.")
    _refuse_unknown(options, {"fsync"})
    fsync = options.get("fsync", "false").lower()
    if fsync not in ("true", "false"):
        raise StorageConfigurationError(f"The storage option fsync is true or false, not {fsync!r}.")
    return LocalStorage(path, fsync=fsync == "true")


def _create_s3(url: str, parts: SplitResult, options: dict[str, str]) -> AbstractStorage:
    from storage.s3 import S3Storage  # boto takes long to import

    bucket = parts.netloc.rpartition("@")[2]
    if not bucket:
        raise StorageConfigurationError(f"{_safe(url)!r} names no bucket: use s3://bucket/prefix.")
    _refuse_unknown(options, _S3_OPTIONS)
    if options.get("addressing_style", "auto") not in _ADDRESSING_STYLES:
        raise StorageConfigurationError(
            f"The storage option addressing_style is {' or '.join(_ADDRESSING_STYLES)}."
        )
    try:
        prefix = check_prefix(unquote(parts.path).strip("/"))
    except InvalidKeyError as error:
        raise StorageConfigurationError(f"The folder in the bucket: {error}") from error
    return S3Storage(
        bucket,
        prefix=prefix,
        endpoint_url=options.get("endpoint_url"),
        public_endpoint_url=options.get("public_endpoint_url"),
        region=options.get("region"),
        addressing_style=options.get("addressing_style"),
        access_key_id=unquote(parts.username) if parts.username else None,
        secret_access_key=unquote(parts.password) if parts.password else None,
    )


def _refuse_unknown(options: dict[str, str], known: set[str]) -> None:
    for name in options.keys() - known:
        raise StorageConfigurationError(
            f"{name!r} is no storage option; there are {', '.join(sorted(known))}."
        )


def _safe(url: str) -> str:
    """The URL as it may stand in a message: without credentials."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
