"""Connections of imports: a name is looked up once, and only addresses that were checked are connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

import httpcore

from tasks.imports.addresses import Address, AddressPolicy
from tasks.imports.errors import AddressRefusedError, NotFetchedError, TransferBrokenError

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Gives the addresses of a host name."""

_LOOK_UP_SECONDS = 15.0
# Of their own: names whose server never answers must not take the threads that write files.
_threads = ThreadPoolExecutor(8, thread_name_prefix="look-up")
_NO_SUCH_NAME = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_FAIL") if hasattr(socket, name)
}

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


async def look_up(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name, as this machine's resolver gives them.

    Raises:
        NotFetchedError: There is no such name.
        TransferBrokenError: The resolver does not answer.
    """
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().run_in_executor(_threads, ask)
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            raise NotFetchedError(_not_known(host)) from error
        raise TransferBrokenError(f"the name {host} could not be looked up") from error
    except (OSError, UnicodeError) as error:
        raise TransferBrokenError(f"the name {host} could not be looked up") from error
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def _not_known(host: str) -> str:
    """The same for names that do not exist and for those of the network behind us: nobody is told which."""
    return (
        f"No public address of {host} is known. Is the name right? Only public addresses are asked, and "
        "those that this server's import_allowed_networks names."
    )


def _not_public(address: Address) -> str:
    return f"The address {address} is not public, nor in import_allowed_networks of this server."


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to addresses that the policy permits, and to nothing else.

    TLS above it still asks for the certificate of the name: only where the bytes go is decided here.
    """

    def __init__(self, policy: AddressPolicy, resolve: Resolve = look_up) -> None:
        self._policy = policy
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Look the host up, check, and connect to the first permitted address that answers.

        Raises:
            AddressRefusedError: It has no permitted address.
        """
        options = list(socket_options or ())
        error: Exception | None = None
        for address in await self._permitted(host, port):
            try:
                stream = await self._backend.connect_tcp(str(address), port, timeout, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as reason:
                error = reason
                continue
            peer = stream.get_extra_info("server_addr")
            if not peer or ip_address(str(peer[0])) != address:
                await stream.aclose()
                raise AddressRefusedError(f"The connection to {host} leads elsewhere.")
            return stream
        raise error or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing is fetched from there."""
        raise AddressRefusedError("Files are fetched by HTTP only.")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)

    async def _permitted(self, host: str, port: int) -> Sequence[Address]:
        literal = _literal(host)
        addresses = await self._resolve(host, port) if literal is None else [literal]
        permitted = [address for address in addresses if self._policy.permits(address)]
        if addresses and not permitted:
            raise AddressRefusedError(_not_known(host) if literal is None else _not_public(literal))
        return permitted
