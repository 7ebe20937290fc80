"""What an analysis process can reach: its pipes and files, nothing else."""

import asyncio
import json
import socket
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from tasks.process.errors import JobError
from tests.tasks.process.trial_models import OPTIONS, detect_request, outcomes, started

linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")


@linux
@pytest.mark.parametrize("network", [False, True])
async def test_the_network_is_reached_only_where_that_is_allowed(detect, trial_models, network):
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        listener.setblocking(False)
        ports = [listener.getsockname()[1], receiver.getsockname()[1]]
        (trial_models / "ports.json").write_text(json.dumps(ports))
        async with started(replace(OPTIONS, network=network)) as process:
            with pytest.raises(JobError) as caught:
                await process.request(detect("connects"))
        if network:
            assert outcomes(caught.value)[:2] == ["done", "done"]
            listener.accept()[0].close()
            assert receiver.recv(10) == b"hello"
        else:
            assert outcomes(caught.value) == ["PermissionError"] * 4
            with pytest.raises(BlockingIOError):
                listener.accept()
            with pytest.raises(BlockingIOError):
                receiver.recv(10)


@linux
async def test_real_models_on_two_threads_work_without_a_network(media_dir, weights_dir):
    for ml_model in ("yunet-2026may", "yolox-nano", "opencv-haar-face"):
        request = detect_request(media_dir / "gestures" / "eat.mkv", ml_model)
        request.values.update(weights_dir=str(weights_dir), frame_stride=25)
        answers = []
        for network in (False, True):
            async with started(replace(OPTIONS, network=network)) as process:
                answers.append(await process.request(request))
        assert answers[0] == answers[1]


async def test_the_environment_holds_no_secret_and_no_descriptor_is_inherited(detect, monkeypatch):
    monkeypatch.setenv("FRAMEWISE_DATABASE_URL", "postgres://user:hunter2@host/db")
    monkeypatch.setenv("FRAMEWISE_STORAGE_URL", "s3://key:hunter2@bucket")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with closing(socket.create_server(("127.0.0.1", 0))):
        async with started() as process:
            with pytest.raises(JobError) as caught:
                await process.request(detect("tells"))
    told = outcomes(caught.value)
    assert "hunter2" not in json.dumps(told["environment"])
    assert not [link for link in told["links"] if link.startswith("socket:")]
    assert len([link for link in told["links"] if link.startswith("pipe:")]) <= 5
    if sys.platform == "linux":
        assert told["oom_score_adj"] == 1000
        assert told["seccomp"].strip() == "2"


async def test_what_a_process_prints_is_logged(detect, caplog):
    caplog.set_level("INFO")
    async with started() as process:
        with pytest.raises(Exception, match="SIGSEGV"):
            await process.request(detect("crashes"))
        await asyncio.sleep(0)
    assert "Segmentation fault" in caplog.text
    assert "trial_models.py" in caplog.text
