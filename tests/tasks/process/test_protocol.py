"""The pipe between a worker and its analysis processes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.process.errors import JobError, ProcessDiedError
from tasks.process.protocol import Message, ProtocolError, decode_header, header_length, read_message
from tests.tasks.process.trial_models import started

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
    async with started() as process:
        with pytest.raises(JobError) as caught:
            await process.request(Message("probe", {"source": "/nowhere.mp4", "limits": {}}))
        assert str(caught.value)
        assert (await process.request(Message("warm"))).kind == "result"


async def test_a_process_that_talks_nonsense_is_ended(detect):
    async with started() as process:
        with pytest.raises(ProcessDiedError, match="no answer") as caught:
            await process.request(detect("babbles"))
        assert not caught.value.is_interruption
        assert not process.is_alive
