"""Somebody who cannot make up their mind: pauses, resumes, cancels, restarts and deletes running work."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.workload import Item, Workload

_LONGEST_PAUSE_SECONDS = 2.0
_REST_SECONDS = (0.3, 2.5)
_WEIGHTS = {"pause": 50, "restart": 25, "cancel": 8, "delete": 10}


@dataclass
class Controller:
    """Does one thing at a time to one open analysis.

    Args:
        workload: What it plays with.
        random: Decides.
        can_restart: Whether the server knows `restartAnalysis`.
    """

    workload: Workload
    random: random.Random
    can_restart: bool
    done: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Go on until cancelled or the workload stops; what was paused is resumed."""
        while not self.workload.stopping:
            await asyncio.sleep(self.random.uniform(*_REST_SECONDS))
            items = [item for item in self.workload.open_items if not item.busy]
            if not items or self.workload.stopping:
                continue
            item = self.random.choice(items)
            (action,) = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            item.busy = True
            try:
                await self._act(item, action)
            finally:
                item.busy, item.touched_at = False, time.monotonic()

    async def _act(self, item: Item, action: str) -> None:
        api = self.workload.api
        if action == "delete":
            codes = await api.delete("deleteVideo", item.video_id)
            item.deleted = True
            # A deletion whose answer was lost finds nothing when it is sent again.
            self._note(action, [code for code in codes if code != "NOT_FOUND"])
            return
        wanted = "PAUSED" if action == "pause" else "CANCELLED"
        status, codes = await api.steer(
            "pauseAnalysis" if action == "pause" else "cancelAnalysis", item.analysis_id
        )
        if codes == ["CONFLICT"]:
            self.done[f"{action} came too late"] += 1
            return
        self._note(
            "pause" if action == "pause" else "cancel", [] if status == wanted else [str(status), *codes]
        )
        if action == "cancel" or (action == "restart" and not self.can_restart):
            item.cancelled = True
            return
        await asyncio.sleep(self.random.uniform(0.0, _LONGEST_PAUSE_SECONDS))
        back = "resume" if action == "pause" else "restart"
        _, codes = await api.steer(f"{back}Analysis", item.analysis_id)
        self._note(back, codes)

    def _note(self, action: str, problems: list[str]) -> None:
        self.done[action] += 1
        if problems:
            self.workload.problems.append(f"a {action} ended in {problems}")
