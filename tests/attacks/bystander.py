"""Run as a script: somebody who asks a normal query again and again on one connection, all the time.

Arguments: host, port, access token. A line on stdin begins a new count; the answer is a line of JSON.
"""

import http.client
import json
import sys
import threading
import time
from typing import Any

PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0
_QUERY = json.dumps(
    {"query": "{ me { username } videos(first: 20) { edges { node { id title status createdAt } } } }"}
)


class Bystander:
    """Asks, and notes how long each answer took."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._latencies_seconds: list[float] = []
        self._wrong: list[str] = []
        self._reconnects = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=_PATIENCE_SECONDS)
        while True:
            began = time.perf_counter()
            try:
                connection.request("POST", "/graphql", _QUERY, self._headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._wrong.append(repr(error))
                connection.close()
                time.sleep(PAUSE_SECONDS)
                self._reconnects += 1
                continue
            self._latencies_seconds.append(time.perf_counter() - began)
            if response.status != 200 or b'"errors"' in answer:
                self._wrong.append(f"{response.status} {answer[:300]!r}")
            time.sleep(PAUSE_SECONDS)

    def counted(self) -> dict[str, Any]:
        """What was seen since the last call."""
        latencies, self._latencies_seconds = sorted(self._latencies_seconds), []
        wrong, self._wrong = self._wrong, []
        if not latencies:
            return {"count": 0, "wrong": wrong}
        return {
            "count": len(latencies),
            "wrong": wrong[:5],
            "p50_seconds": latencies[len(latencies) // 2],
            "p99_seconds": latencies[int(len(latencies) * 0.99)],
            "max_seconds": latencies[-1],
        }


if __name__ == "__main__":
    bystander = Bystander(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    threading.Thread(target=bystander.run, daemon=True).start()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(bystander.counted()) + "\n")
        sys.stdout.flush()
