"""A real HTTP server on the loopback that behaves as each test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the way back."""

    target: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def respond(self, body: bytes, status: str = "200 OK", **headers: str) -> None:
        told = {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        await self.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode(), body)


@dataclass
class FileServer:
    """Answers each path as `answers` says."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Exchange] = field(default_factory=list)
    open_connections: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                target = head[0].split(" ")[1]
                pairs = [line.split(": ", 1) for line in head[1:] if line]
                headers = {name.lower(): value for name, value in pairs}
                exchange = Exchange(target, headers, reader, writer)
                self.seen.append(exchange)
                await self.answers[target](exchange)
        finally:
            self.open_connections -= 1
            writer.close()


@asynccontextmanager
async def file_server(**answers: Answer) -> AsyncIterator[FileServer]:
    """Serve; `answers` are by path without its slash."""
    served = FileServer(answers={f"/{name}": answer for name, answer in answers.items()})
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    tasks = asyncio.all_tasks()
    try:
        yield served
    finally:
        server.close()
        ours = [one for one in asyncio.all_tasks() - tasks if "FileServer.serve" in repr(one.get_coro())]
        for one in ours:
            one.cancel()
        await asyncio.gather(*ours, return_exceptions=True)


def answering(body: bytes, status: str = "200 OK", **headers: str) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(body, status, **headers)

    return answer


def redirecting(location: str, status: str = "302 Found") -> Answer:
    return answering(b"elsewhere", status, Location=location)


def raw(*pieces: bytes) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(*pieces)

    return answer


async def silent(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await exchange.reader.read()


async def endless(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await exchange.send(b"10000\r\n", b"x" * 0x10000, b"\r\n")


async def trickling(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n")
    while True:
        await exchange.send(b"x")
        await asyncio.sleep(0.02)


async def endless_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"X-More: " + b"x" * 10_000 + b"\r\n")
