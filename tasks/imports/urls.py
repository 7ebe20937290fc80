"""URLs that videos may be fetched from, taken apart once, so that no two parsers read one differently."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import idna

from tasks.imports.addresses import Address
from tasks.imports.errors import AddressRefusedError

MAX_URL_LENGTH = 4096
LOWEST_FREE_PORT = 1024
"""Ports from here on are open to anybody's programs; below, only those of HTTP itself are asked."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_LIKE_A_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)", re.IGNORECASE)
_KEPT_IN_TARGETS = "/?%:@!$&'()*+,;=~[]-._"
_SAFE_TARGET = re.compile(rb"[\x21-\x7e]+")


@dataclass(frozen=True)
class ImportUrl:
    """A URL that has the right form. What its host stands for is not known yet."""

    scheme: str
    host: str
    """In lower case and ASCII; an IPv6 address without brackets."""
    port: int
    target: bytes
    """Path and query, as they are sent."""

    @property
    def literal(self) -> Address | None:
        """The host, if it is an address."""
        try:
            return IPv6Address(self.host) if ":" in self.host else IPv4Address(self.host)
        except AddressValueError:
            return None

    @property
    def path_name(self) -> bytes:
        """The last part of the path: what a file from there is called, if nobody says otherwise."""
        return unquote_to_bytes(self.target.partition(b"?")[0].rpartition(b"/")[2])

    def joined(self, location: str) -> "ImportUrl":
        """The URL that a redirect leads to.

        Raises:
            AddressRefusedError: It is none that is followed.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        here = f"{self.scheme}://{host}:{self.port}{self.target.decode('ascii')}"
        try:
            there = urljoin(here, location.strip())
        except ValueError:
            raise AddressRefusedError("The redirect there leads to no URL.") from None
        return parse_url(there)


def parse_url(text: str) -> ImportUrl:
    """Take a URL apart.

    Raises:
        AddressRefusedError: It is no `http` or `https` URL, or one in a form that only hides where it leads.
    """
    if len(text) > MAX_URL_LENGTH:
        raise AddressRefusedError(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if _FORBIDDEN.search(text):
        raise AddressRefusedError("The URL has a space, a backslash or a control character in it.")
    try:
        parts = urlsplit(text)
        port = parts.port
        has_user = "@" in parts.netloc
        host = parts.hostname or ""
        if ("[" in parts.netloc) != (
            ":" in host
        ):  # in brackets stands an IPv6 address, or what we do not know
            host = ""
    except ValueError:
        raise AddressRefusedError("This is no URL.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise AddressRefusedError("The URL must begin with http:// or https://.")
    if has_user:
        raise AddressRefusedError(
            "The URL has a name or password in it: leave it out; files that need one cannot be imported."
        )
    default = _DEFAULT_PORTS[parts.scheme]
    port = default if port is None else port
    if port < LOWEST_FREE_PORT and port not in _DEFAULT_PORTS.values():
        raise AddressRefusedError(f"Port {port} is not for HTTP: 80, 443 and those from 1024 on are asked.")
    query = f"?{parts.query}" if parts.query else ""
    return ImportUrl(parts.scheme, _host(host), port, _target((parts.path or "/") + query))


def _host(host: str) -> str:
    if ":" in host:
        try:
            address = IPv6Address(host)
        except AddressValueError:
            raise AddressRefusedError("The URL has no right host name.") from None
        if address.scope_id is not None:
            raise AddressRefusedError("The address in the URL is not public.")
        return str(address)
    try:
        name = idna.encode(host, uts46=True).decode() if not host.isascii() else host.lower()
    except (idna.IDNAError, UnicodeError):
        name = ""
    name = name.removesuffix(".")
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise AddressRefusedError("The URL has no right host name.")
    if _LIKE_A_NUMBER.fullmatch(name.rpartition(".")[2]):
        # 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to those who read them so.
        try:
            return str(IPv4Address(name))
        except AddressValueError:
            raise AddressRefusedError(
                "The URL's host is a number: write an IPv4 address as four decimal numbers."
            ) from None
    return name


def _target(text: str) -> bytes:
    target = quote(text, safe=_KEPT_IN_TARGETS).encode("ascii", "replace")
    if not target.startswith(b"/") or not _SAFE_TARGET.fullmatch(target):
        raise AddressRefusedError("This is no URL.")
    return target
