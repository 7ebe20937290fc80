"""Bodies in chunks that keep the server busy."""

import asyncio
from functools import partial

from tests.attacks.size import sized
from tests.attacks.target import Target
from tests.attacks.wire import GONE, connected, crowd, head
from tests.cli.processes import PATIENCE_SECONDS


def chunked_heads(target: Target) -> list[bytes]:
    token = f"Authorization: Bearer {target.token}"
    return [
        head("POST", "/graphql", token, "Content-Type: application/json", "Transfer-Encoding: chunked"),
        head("POST", "/graphql", token, "Content-Type: multipart/form-data; boundary=x", "Transfer-Encoding: chunked"),
        head("POST", "/uploads", token, "Tus-Resumable: 1.0.0", "Upload-Length: 900000", "Content-Type: application/offset+octet-stream", "Transfer-Encoding: chunked"),
        head("GET", "/healthz", "Transfer-Encoding: chunked"),
    ]  # fmt: skip


async def flood_with_chunks(target: Target, data: bytes, chunks: bytes, times: int) -> None:
    """Send a head and then these chunks, as fast as they are taken."""
    async with connected(target) as wire:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await wire.send(data)
                for _ in range(times):
                    await wire.send(chunks)
            async with asyncio.timeout(2):
                await wire.closed()
        except GONE:
            pass


async def test_chunks_without_end(target: Target) -> None:
    """Chunks of one byte, by the ten thousand, as fast as they go."""
    async with target.under_attack("chunks without end", keeps_files=True):
        chunks = b"1\r\n{\r\n" * 40_000
        heads = chunked_heads(target) * sized(1, 4)
        await crowd([partial(flood_with_chunks, target, data, chunks, sized(8, 40)) for data in heads], 4)


async def test_chunks_of_changing_length(target: Target) -> None:
    """Long ones between the tiny ones, and from many clients."""
    async with target.under_attack("chunks of changing length", keeps_files=True):
        chunks = (b"8000\r\n" + b"{" * 2**15 + b"\r\n" + b"1\r\n{\r\n" * 3_000) * 4
        heads = chunked_heads(target) * sized(2, 15)
        await crowd([partial(flood_with_chunks, target, data, chunks, sized(4, 40)) for data in heads], 60)
