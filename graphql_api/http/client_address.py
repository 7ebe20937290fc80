"""Where a request comes from.

The server that runs the application has put the client's address into the ASGI scope: that of the connection,
or what a proxy among `trusted_proxies` says in `X-Forwarded-For` (see `cli.api`). Headers are not looked at
here, so nobody else can make up an address.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

MAX_ADDRESS_LENGTH = 64

_SITE_PREFIX_BITS = 64


def client_address(connection: HTTPConnection) -> str:
    """The address of the client, without a port; empty where there is none, as on a unix socket."""
    client = connection.client
    if client is None:
        return ""
    address = _parsed(client.host)
    return client.host[:MAX_ADDRESS_LENGTH] if address is None else str(address)


def limited_as(address: str) -> str:
    """What the limits for one address count by: the whole /64 of an IPv6 address, for one person has that."""
    parsed = _parsed(address)
    if not isinstance(parsed, IPv6Address):
        return address
    return str(IPv6Network((int(parsed), _SITE_PREFIX_BITS), strict=False))


def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
