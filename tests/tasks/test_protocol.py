"""The pipe between a worker and its analysis processes."""

import io
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.process.pool import AnalysisProcess, JobError, ProcessDiedError, ProcessPool
from tasks.process.protocol import Message, ProtocolError, decode_header, header_length, read_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.lists(inner)
)


@given(st.dictionaries(st.text(), JSON), st.lists(st.binary(max_size=300), max_size=4))
def test_messages_survive_the_pipe(values, blobs):
    stream = io.BytesIO(Message("kind", values, blobs).encode() + Message("next").encode())
    first = read_message(stream)
    assert first is not None
    assert (first.kind, first.values, list(first.blobs)) == ("kind", values, blobs)
    assert read_message(stream) == Message("next", {}, [])
    assert read_message(stream) is None


@pytest.mark.parametrize(
    "header",
    [b"", b"null", b"[]", b'{"kind":"a","values":[],"blobs":[]}', b'{"kind":"a","values":{},"blobs":[-1]}'],
)
def test_what_is_no_header_is_refused(header):
    with pytest.raises(ProtocolError):
        decode_header(header)
    with pytest.raises(ProtocolError):
        header_length(b"\xff\xff\xff\xff")


async def test_a_process_answers_errors_and_goes_on():
    process = await AnalysisProcess.start(8 * 2**30, 0.1)
    try:
        with pytest.raises(JobError) as caught:
            await process.request(Message("probe", {"source": "/nowhere.mp4", "limits": {}}))
        assert str(caught.value)
        assert (await process.request(Message("warm"))).kind == "result"
    finally:
        await process.kill()


async def test_a_killed_process_is_told_of_and_replaced():
    pool = ProcessPool(1, 8 * 2**30, 0.1)
    pool.open()
    try:
        with pytest.raises(ProcessDiedError, match="SIGKILL"):
            await _killed(pool)
        async with pool.process() as another:
            assert (await another.request(Message("warm"))).kind == "result"
    finally:
        await pool.close()


async def _killed(pool: ProcessPool) -> None:
    async with pool.process() as process:
        os.kill(process._process.pid, signal.SIGKILL)
        await process.request(Message("warm"))


async def test_the_environment_of_a_process_holds_no_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("FRAMEWISE_DATABASE_URL", "postgres://user:hunter2@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    process = await AnalysisProcess.start(8 * 2**30, 0.1)
    try:
        await process.request(Message("warm"))
        environment = Path(f"/proc/{process._process.pid}/environ").read_bytes()
        assert b"hunter2" not in environment
    finally:
        await process.kill()
