"""Whatever is done to a register in whatever order: it stays whole, and undoing puts back what was."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.errors import ConflictError
from domain.people import corrections
from domain.people.corrections import Correction
from domain.people.models import Appearance, Person, PersonChange, Sex
from tests.databases import PostgresServer, connected
from tests.domain.people.worlds import World, face, seen

PLACES = st.integers(0, 1000)
FACES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), min_size=1, max_size=3)


class Corrector:
    """Does to a register what numbers say, where it can be done."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def person(self, place: int) -> UUID | None:
        people = await Person.filter(owner_id=self.world.owner.id).order_by("created_at", "id")
        return people[place % len(people)].id if people else None

    async def appearance(self, place: int) -> Appearance | None:
        rows = await Appearance.filter(owner_id=self.world.owner.id).order_by("created_at", "id")
        return rows[place % len(rows)] if rows else None

    async def record(self, faces: list[tuple[int, int]], beside: bool) -> None:
        lease = await self.world.analysis()
        sightings = [
            seen(
                number,
                face(identity, variant, 0.8),
                beside=tuple(one for one in range(len(faces)) if one != number) if beside else (),
            )
            for number, (identity, variant) in enumerate(faces)
        ]
        assert await self.world.record(lease, sightings)

    async def correct(self, kind: str, one: int, other: int) -> Correction | None:
        """Do one correction; None where there is nobody to do it to."""
        first, second = await self.person(one), await self.person(other)
        appearance = await self.appearance(other)
        if first is None or second is None or appearance is None:
            return None
        who = self.world.who
        if kind == "rename":
            return await corrections.update_person(
                *who, first, {"full_name": f"Ada {'xyz'[other % 3]}", "sex": Sex.FEMALE}
            )
        if kind == "clear":
            return await corrections.update_person(
                *who, first, {"full_name": None, "birth_date": date(2000, 2, 29)}
            )
        if kind == "reject":
            return await corrections.reject_appearance(*who, appearance.id)
        if kind == "move":
            return await corrections.move_appearance(*who, appearance.id, first)
        if kind == "split":
            return await self._split(first, other)
        if kind == "choose":
            own = await Appearance.filter(person_id=first).order_by("id")
            if not own:
                return None
            return await corrections.choose_profile_photo(*who, first, own[other % len(own)].id)
        if first == second:
            return None
        if kind == "merge":
            return await corrections.merge_people(*who, [first, second], first)
        return await corrections.answer_same_person(*who, first, second, is_same=kind == "same")

    async def _split(self, person_id: UUID, other: int) -> Correction | None:
        own = await Appearance.filter(person_id=person_id).order_by("id")
        count = other % len(own) if own else 0
        if not count:
            return None
        return await corrections.split_person(*self.world.who, person_id, [one.id for one in own[:count]])

    async def undo(self, change_id: UUID) -> UUID | None:
        """Undo a change; None if a later one is in the way, and then nothing has changed."""
        before = await self.world.snapshot()
        try:
            done = await corrections.undo_person_change(*self.world.who, change_id)
        except ConflictError:
            assert await self.world.snapshot() == before
            return None
        return done.change_id


KINDS = ("rename", "clear", "reject", "move", "split", "choose", "merge", "same", "different")


class RegisterMachine(RuleBasedStateMachine):
    """Faces come, people correct and undo, in any order."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._changed = False

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._changed = True
        return self._runner.run(work)

    @initialize()
    def begin(self) -> None:
        async def begin() -> None:
            await self._stack.enter_async_context(connected(self.url))
            self.corrector = Corrector(await World.make(uuid4().hex))
            for variant in range(2):
                await self.corrector.record([(1, variant), (2, variant), (3, variant)], beside=False)

        self.do(begin())

    @rule(faces=FACES, beside=st.booleans())
    def record(self, faces: list[tuple[int, int]], beside: bool) -> None:
        self.do(self.corrector.record(faces, beside))

    @rule(kind=st.sampled_from(KINDS), one=PLACES, other=PLACES, back=st.booleans())
    def correct(self, kind: str, one: int, other: int, back: bool) -> None:
        async def correct() -> None:
            world = self.corrector.world
            before = await world.snapshot()
            done = await self.corrector.correct(kind, one, other)
            after = await world.snapshot()
            if done is None or done.change_id is None:
                assert after == before
                return
            undone = await self.corrector.undo(done.change_id)
            assert undone is not None, "the newest change can be undone"
            assert await world.snapshot() == before
            if not back:
                redone = await self.corrector.undo(undone)
                assert redone is not None
                assert await world.snapshot() == after

        self.do(correct())

    @rule(place=PLACES)
    def undo(self, place: int) -> None:
        async def undo() -> None:
            world = self.corrector.world
            changes = await PersonChange.filter(owner_id=world.owner.id, undone_by_id=None).order_by("number")
            if not changes:
                return
            before = await world.snapshot()
            undone = await self.corrector.undo(changes[place % len(changes)].id)
            if undone is not None:
                after = await world.snapshot()
                redone = await self.corrector.undo(undone)
                assert redone is not None
                assert await world.snapshot() == before
                assert await self.corrector.undo(redone) is not None
                assert await world.snapshot() == after

        self.do(undo())

    @precondition(lambda self: self._changed)
    @invariant()
    def is_whole(self) -> None:
        self._changed = False
        if hasattr(self, "corrector"):
            self._runner.run(self.corrector.world.check())

    def teardown(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


def _scale(examples: int) -> int:
    return examples * int(os.environ.get("FRAMEWISE_TEST_EFFORT", "1"))


def test_any_sequence_on_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        RegisterMachine.url = f"sqlite://{Path(folder) / 'register.sqlite3'}"
        run_state_machine_as_test(
            RegisterMachine,
            settings=settings(
                max_examples=_scale(8),
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_any_sequence_on_postgres(postgres_server: PostgresServer) -> None:
    name = f"test_{uuid4().hex}"
    asyncio.run(postgres_server.run(f"CREATE DATABASE {name}"))
    RegisterMachine.url = postgres_server.url(name)
    run_state_machine_as_test(
        RegisterMachine,
        settings=settings(
            max_examples=_scale(4),
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    asyncio.run(postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)"))


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def connected_work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with connected(f"sqlite://{Path(folder) / 'register.sqlite3'}"):
                await work()

    asyncio.run(connected_work())


@given(steps=st.lists(st.tuples(st.sampled_from(KINDS), PLACES, PLACES), min_size=3, max_size=10))
@settings(max_examples=_scale(8), deadline=None, suppress_health_check=list(HealthCheck))
def test_undoing_all_leaves_what_was_there_at_first(steps: list[tuple[str, int, int]]) -> None:
    async def work() -> None:
        corrector = Corrector(await World.make())
        for variant in range(3):
            await corrector.record([(1, variant), (2, variant), (3, variant)], beside=False)
        before = await corrector.world.snapshot()
        changes = []
        for step in steps:
            done = await corrector.correct(*step)
            if done is not None and done.change_id is not None:
                changes.append(done.change_id)
        for change_id in reversed(changes):
            assert await corrector.undo(change_id) is not None
            await corrector.world.check()
        assert await corrector.world.snapshot() == before

    _run(work)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_correction_happens(kind: str) -> None:
    async def work() -> None:
        corrector = Corrector(await World.make())
        for variant in range(3):
            await corrector.record([(1, variant), (2, variant)], beside=False)
        # Who is first depends on ids.
        done = [await corrector.correct(kind, place, place + step) for place in range(6) for step in (1, 2)]
        assert any(one is not None and one.change_id is not None for one in done)
        await corrector.world.check()

    _run(work)
