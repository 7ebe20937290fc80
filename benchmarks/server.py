"""A real server to measure: everything a user's video goes through."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from benchmarks.clips import count_frames

_UPLOAD = """mutation($files: [Upload!]!, $analyze: AnalysisSettingsInput) {
  uploadVideos(files: $files, analyze: $analyze) { videos { id } analyses { id } userErrors { message } } }"""
_STATE = """query($id: ID!) { analysis(id: $id) {
  id status errorMessage framesTotal createdAt startedAt finishedAt } }"""
_START = """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input) {
  analysis { id } userErrors { message } } }"""
_VIDEO = "query($id: ID!) { video(id: $id) { status rejectionReason } }"
_SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken } } }"


class BenchServer:
    """`framewise serve` on a free port, its processes warm."""

    def __init__(
        self, directory: Path, weights: Path, slots: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment = environment or {}
        self._directory = directory
        self._weights = weights
        self._slots = slots

    def __enter__(self) -> Self:
        self._directory.mkdir()
        data_dir = self.data_dir
        command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
        environment = {
            **os.environ,
            "FRAMEWISE_WEIGHTS_MIRROR": str(self._weights),
            "FRAMEWISE_MUTATION_RATE_PER_USER": "",  # one person asks for all of it, as fast as can be
            **self._environment,
        }
        self._log = (self._directory / "log").open("wb")
        self._process = subprocess.Popen(
            [*command, "--slots", str(self._slots)], env=environment, stdout=self._log, stderr=self._log
        )
        state = data_dir / "server.json"
        while not state.exists():
            if self._process.poll() is not None:
                raise RuntimeError((self._directory / "log").read_text())
            time.sleep(0.05)
        self.url = str(json.loads(state.read_text())["url"])
        self.database_url = f"sqlite://{data_dir / 'framewise.sqlite3'}"
        self._http = httpx.Client(base_url=self.url, timeout=600)
        self.sign_up("bench")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()

    def sign_up(self, username: str) -> None:
        """Go on as this new user."""
        session = self.execute(_SIGN_UP, input={"username": username, "password": "correct horse"})["signUp"]
        self.authorization = f"Bearer {session['session']['accessToken']}"
        self._http.headers["Authorization"] = self.authorization

    @property
    def data_dir(self) -> Path:
        """Where the server keeps its files."""
        return self._directory / "data"

    @property
    def pid(self) -> int:
        """The process that was started; the others are below it."""
        return self._process.pid

    def frames_per_second(self, clips: list[Path]) -> float:
        """Frames of all clips, uploaded together, over the time from first start to last final state."""
        states = self.upload_and_finish(clips, {"mlModel": "yolox-nano"})
        started = min(datetime.fromisoformat(state["startedAt"]) for state in states)
        finished = max(datetime.fromisoformat(state["finishedAt"]) for state in states)
        return float(sum(state["framesTotal"] for state in states) / (finished - started).total_seconds())

    def upload_and_finish(self, clips: list[Path], analyze: dict[str, Any]) -> list[dict[str, Any]]:
        """Upload clips together, each to be analysed with these settings; their final states."""
        payload = self._post_files(clips, analyze)
        return [self._finished(analysis["id"]) for analysis in payload["analyses"]]

    def add_video(self, clip: Path) -> str:
        """Upload a clip and wait until it is READY; its id."""
        (video,) = self._post_files([clip], None)["videos"]
        while (state := self.execute(_VIDEO, id=video["id"])["video"])["status"] == "PROBING":
            time.sleep(0.1)
        if state["status"] != "READY":
            raise RuntimeError(state["rejectionReason"])
        return str(video["id"])

    def analyse(self, video_id: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Analyse a video with these settings; the final state, with when it was asked for and finished."""
        return self._finished(self.begin(video_id, settings))

    def begin(self, video_id: str, settings: dict[str, Any]) -> str:
        """Ask for an analysis; its id."""
        payload = self.execute(_START, input={"videoId": video_id, "settings": settings})["startAnalysis"]
        if payload["userErrors"]:
            raise RuntimeError(payload["userErrors"])
        return str(payload["analysis"]["id"])

    def final_state(self, analysis_id: str) -> dict[str, Any]:
        """Wait until an analysis is at its end, whichever; its state."""
        while True:
            state: dict[str, Any] = self.execute(_STATE, id=analysis_id)["analysis"]
            if state["status"] in ("SUCCEEDED", "FAILED"):
                return state
            time.sleep(0.25)

    def overhead_seconds(self, clip: Path) -> float:
        """Time from the first byte of the upload to the final state, less what computing takes.

        Computing is what a run on warm processes takes on all slots: frames over the rate measured here.
        """
        longer = self._repeated_rate(clip)
        begun = time.time()
        (state,) = self.upload_and_finish([clip], {"mlModel": "yunet-2026may"})
        finished = datetime.fromisoformat(state["finishedAt"]).timestamp()
        return finished - begun - count_frames(clip) / longer

    def _repeated_rate(self, clip: Path) -> float:
        """Frames a second that the detector alone reaches on as many bare processes as slots."""
        from benchmarks.compute import compute_rate

        return compute_rate(clip, self._weights, self._slots)

    def _post_files(self, clips: list[Path], analyze: dict[str, Any] | None) -> dict[str, Any]:
        variables = {"files": [None] * len(clips), "analyze": analyze}
        files = {str(number): (clip.name, clip.open("rb")) for number, clip in enumerate(clips)}
        try:
            response = self._http.post(
                "/graphql",
                data={
                    "operations": json.dumps({"query": _UPLOAD, "variables": variables}),
                    "map": json.dumps({name: [f"variables.files.{name}"] for name in files}),
                },
                files=files,
            )
        finally:
            for _, stream in files.values():
                stream.close()
        payload: dict[str, Any] = response.json()["data"]["uploadVideos"]
        return payload

    def _finished(self, analysis_id: str) -> dict[str, Any]:
        state = self.final_state(analysis_id)
        if state["status"] == "FAILED":
            raise RuntimeError(state["errorMessage"])
        return state

    def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `data` that an operation gives."""
        response = self._http.post("/graphql", json={"query": query, "variables": variables})
        data: dict[str, Any] = response.json()["data"]
        return data
