"""Python's side of the headless browser: one call, one command of tests/clients/graphiql_page.mjs."""

import json
import shutil
import subprocess
from typing import Any, Self

from tests.clients.node import CLIENTS, NodeClients, skip_or_fail

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """A headless Chromium; `browser("open", url=…)` shows a server's GraphiQL page to a new visitor."""

    def __init__(self, node_clients: NodeClients) -> None:
        chromium = next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
        if chromium is None:
            skip_or_fail("The tests of the web pages need Chromium on PATH.")
        self._process = subprocess.Popen(
            [node_clients.node.node, CLIENTS / "graphiql_page.mjs", chromium],
            env=node_clients.node.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Its input ends: it closes the browser and exits.
        self._process.communicate(timeout=30)

    def __call__(self, command: str, **given: Any) -> Any:
        """Run one command; gives its answer, fails the test with its error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser has gone"
        answer = json.loads(line)
        assert "failed" not in answer, f"{command}: {answer['failed']}"
        return answer["ok"]
