"""Which addresses videos may be fetched from: public ones, and those that the operator allows.

Whoever may import could otherwise have this server ask what only it can reach: services on its own machine,
the network behind it, the metadata of its cloud.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider, and metadata of one cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # what one cloud tells its machines, though it looks public
        "169.254.0.0/16",  # link-local, and metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and metadata of one cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
]
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks in a list with commas; a single address is a network of its own.

    Raises:
        ValueError: One is no network.
    """
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


@dataclass(frozen=True)
class AddressPolicy:
    """Says which addresses may be connected to.

    Args:
        allowed: Networks that may be, although they are not public.
    """

    allowed: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        """Whether videos may be fetched from the address."""
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            address = IPv6Address(int(address))
        if any(address in network for network in self.allowed):
            return not _is_translated(address) or self.permits(IPv4Address(int(address) & 0xFFFFFFFF))
        return is_public(address)


def is_public(address: Address) -> bool:
    """Whether the address belongs to one machine of the open Internet, as far as an address can tell.

    IPv4 addresses that are wrapped into IPv6 ones are not: whoever means one can write it as it is.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _is_translated(address: Address) -> bool:
    """Whether a translator would connect to the IPv4 address in it: that one must be permitted, too."""
    return isinstance(address, IPv6Address) and address in _NAT64
