"""A package of models that behave in every way a model may, and requests that run them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from media.probe import probe
from media.segments import plan_segments
from tasks.process.options import ProcessOptions
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message

MIB = 2**20
OPTIONS = ProcessOptions(
    memory_bytes=1024 * MIB,
    growth_bytes=512 * MIB,
    max_jobs=1000,
    progress_interval_seconds=0.01,
    network=False,
    spares=0,
)

MODULE = """
import ctypes, json, os, signal, socket, time
from pathlib import Path
import numpy as np
import supervision as sv
from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.catalog import MLModelSpec, MLTask

def _spec(name):
    return MLModelSpec(name=name, task=MLTask.OBJECT_DETECTION, labels=("frame",), license="MIT",
        description="For trials.", implementation="trial_models:Trial",
        floor_confidence=0.0, default_confidence=0.0)

class Trial(AbstractImageAnalysisMLModel):
    def _load(self):
        self.count = 0
        self.kept = []

    def _analyze(self, frames):
        self.count += 1
        getattr(self, "_" + self.spec.name.replace("-", "_"))()
        return [sv.Detections(xyxy=np.array([[1, 1, f.shape[1] - 1, f.shape[0] - 1]], dtype=np.float32),
                confidence=np.array([f.mean() / 255], dtype=np.float32), class_id=np.array([0])) for f in frames]

    def _quick(self):
        pass

    def _steady(self):
        ends = time.monotonic() + 0.003
        while time.monotonic() < ends:
            pass

    def _sleeps(self):
        time.sleep(0.02 if self.count < 5 else 3600)

    def _swallows(self):
        try:
            time.sleep(0.05)
        except BaseException:
            pass

    def _deaf(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        self._sleeps()

    def _babbles(self):
        for fd in os.listdir("/proc/self/fd"):
            if int(fd) > 2:
                try:
                    os.write(int(fd), bytes([255]) * 8)
                except OSError:
                    pass

    def _raises(self):
        raise RuntimeError("the lens cap is on")

    def _greedy(self):
        while True:
            self.kept.append(np.ones(32 << 20, dtype=np.uint8))

    def _vast(self):
        np.ones(64 << 30, dtype=np.uint8)

    def _aborts(self):
        new = ctypes.CDLL("libstdc++.so.6")._Znwm
        new.argtypes, new.restype = [ctypes.c_size_t], ctypes.c_void_p
        new(64 << 30)

    def _fills_then_crashes(self):
        try:
            while True:
                self.kept.append(np.ones(32 << 20, dtype=np.uint8))
        except MemoryError:
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGSEGV)

    def _crashes(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def _is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def _exits(self):
        os._exit(7)

    def _leaks(self):
        if self.count % 10 == 0:
            self.kept.append(np.ones(8 << 20, dtype=np.uint8))

    def _starts_another(self):
        if os.fork() == 0:
            Path(__file__).with_name("child.pid").write_text(str(os.getpid()))
            time.sleep(3600)
        while not Path(__file__).with_name("child.pid").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGSEGV)

    def _connects(self):
        tcp, udp = json.loads(Path(__file__).with_name("ports.json").read_text())
        outcomes = []
        for connect in (
            lambda: socket.create_connection(("127.0.0.1", tcp), timeout=5).close(),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", udp)),
            lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close(),
            lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
        ):
            try:
                connect()
                outcomes.append("done")
            except OSError as error:
                outcomes.append(type(error).__name__)
        raise RuntimeError("outcomes:" + json.dumps(outcomes))

    def _tells(self):
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
        status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
        told = {"environment": dict(os.environ), "links": links, "seccomp": status["Seccomp"],
                "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text())}
        raise RuntimeError("outcomes:" + json.dumps(told))
"""


def install_trial_models(directory: Path) -> None:
    """Put the package where Python finds it when `directory` is on its path."""
    info = directory / "trial_models-1.0.dist-info"
    info.mkdir(parents=True)
    names = [
        line.split("(")[0].strip().removeprefix("def _").replace("_", "-")
        for line in MODULE.splitlines()
        if line.startswith("    def _") and "__" not in line
    ]
    names = [name for name in names if name not in ("load", "analyze", "spec")]
    specs = "".join(f'{name.replace("-", "_")} = _spec("{name}")\n' for name in names)
    (directory / "trial_models.py").write_text(MODULE + specs)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trial-models\nVersion: 1.0\n")
    entries = "".join(f"{name} = trial_models:{name.replace('-', '_')}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[framewise.ml_models]\n{entries}")


def detect_request(clip: Path, ml_model: str) -> Message:
    """A request to run a model over all of a clip."""
    timeline = probe(clip).timeline
    (plan,) = plan_segments(timeline, target_seconds=1e9)[:1]
    return Message(
        "detect",
        {
            "source": str(clip),
            "plan": vars(plan),
            "time_base": str(timeline.time_base),
            "frame_stride": 1,
            "thread_count": 2,
            "ml_model": ml_model,
            "weights_dir": "/nowhere",
            "weights_mirror": None,
            "min_confidence": 0.0,
            "labels": None,
        },
    )


def outcomes(error: Exception) -> Any:
    """What a model found out that tells it by an error."""
    return json.loads(str(error).partition("outcomes:")[2])


@asynccontextmanager
async def started(options: ProcessOptions = OPTIONS) -> AsyncIterator[AnalysisProcess]:
    """A warm process."""
    process = await AnalysisProcess.start(options)
    try:
        await process.request(Message("warm"))
        yield process
    finally:
        await process.kill()
