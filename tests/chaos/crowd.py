"""Several clients of two accounts, each ordering the same running work about as it pleases."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.analyses.models import AnalysisStatus as Status
from domain.analyses.transitions import ALREADY_DONE, TRANSITIONS, Action
from tests.chaos.client import PatientApi
from tests.chaos.workload import Item, Workload

_WEIGHTS = {"pause": 30, "resume": 25, "cancel": 16, "restart": 20, "deleteAnalysis": 3, "deleteVideo": 6}
_LONGEST_REST_SECONDS = 0.4
_OPEN_ITEMS = 4

_REFUSALS = {"CONFLICT", "NOT_FOUND"}


def legal_answers(action: str) -> set[str]:
    """The statuses that an action which was not refused may answer with, if nobody else interferes.

    What was just made QUEUED may be RUNNING by the time of the answer.
    """
    name = Action(action)
    statuses = {TRANSITIONS[name][1], *ALREADY_DONE.get(name, ())}
    return {str(status) for status in statuses} | ({"RUNNING"} if Status.QUEUED in statuses else set())


@dataclass
class Account:
    """One user: work that is shared by its clients."""

    api: PatientApi
    workload: Workload
    clients: Sequence[PatientApi]

    @property
    def items(self) -> list[Item]:
        return [item for item in self.workload.items if not item.deleted]


@dataclass
class Crowd:
    """Makes so many calls, all clients at once.

    Attributes:
        answers: How often each action had each outcome.
        problems: What no client may ever be told.
    """

    accounts: Sequence[Account]
    random: random.Random
    actions: frozenset[str]
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    calls: int = 0

    async def run(self, calls: int) -> None:
        """Call until that many calls are answered."""
        async with asyncio.TaskGroup() as group:
            for account in self.accounts:
                group.create_task(self._feed(account, calls))
                for client in account.clients:
                    group.create_task(self._order_about(account, client, calls))

    async def _feed(self, account: Account, calls: int) -> None:
        workload = account.workload
        while self.calls < calls:
            states = await workload.states()
            live = [one for one in states.values() if one["status"] in ("QUEUED", "RUNNING", "PAUSED")]
            if len(live) < _OPEN_ITEMS:
                await workload.add(workload.next_job())
            await asyncio.sleep(0.3)

    async def _order_about(self, account: Account, client: PatientApi, calls: int) -> None:
        while self.calls < calls:
            await asyncio.sleep(self.random.uniform(0.0, _LONGEST_REST_SECONDS))
            # Mostly what is new: the older, the likelier that it is over.
            items = account.items[-2 * _OPEN_ITEMS :]
            if not items or self.calls >= calls:
                continue
            item = self.random.choice(items)
            weights = [weight if name in self.actions else 0 for name, weight in _WEIGHTS.items()]
            (action,) = self.random.choices(list(_WEIGHTS), weights)
            self.calls += 1
            await self._call(client, item, action)

    async def _call(self, client: PatientApi, item: Item, action: str) -> None:
        if action.startswith("delete"):
            item.deleted = True
            target = item.video_id if action == "deleteVideo" else item.analysis_id
            codes, status = await client.delete(action, target), "deleted"
        else:
            answered, codes = await client.steer(f"{action}Analysis", item.analysis_id)
            status = str(answered)
        self.answers[f"{action}: {codes[0] if codes else 'done'}"] += 1
        if not set(codes) <= _REFUSALS:
            self.problems.append(f"{action} was refused with {codes}")
        if "NOT_FOUND" in codes and not item.deleted:
            self.problems.append(f"{action} did not find what nobody deleted")
        if not codes and not action.startswith("delete") and status not in legal_answers(action):
            # Another client was quicker; the event log tells whether each step was legal.
            self.answers[f"{action}: changed again by another client"] += 1
