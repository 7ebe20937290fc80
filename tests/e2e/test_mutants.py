"""Broken files of every kind; `make chaos CHAOS=mutants` runs many more."""

import pytest

from tests.chaos.mutants_kinds import KINDS, make_mutant
from tests.chaos.mutants_run import Watch, faults_of_reason, run_mutants
from tests.chaos.mutants_sources import make_sources

pytestmark = pytest.mark.xdist_group("server")

SEED = 20


@pytest.fixture(scope="module")
def sources(media_dir, tmp_path_factory):
    return make_sources(media_dir, tmp_path_factory.mktemp("sources"))


async def test_broken_files_end_with_a_reason_and_take_nothing_down(server, api, sources, tmp_path):
    mutants = [make_mutant(SEED, number, sources) for number in range(3 * len(KINDS))]
    watch = Watch.of(server)
    outcomes = await run_mutants(api, mutants, tmp_path)
    found = {one.mutant.name: one.violations for one in outcomes if one.violations}
    assert found == {}
    assert watch.violations() == []
    ends = {one.end for one in outcomes}
    assert {"READY SUCCEEDED", "REJECTED FAILED"} <= ends


def test_mutants_are_the_same_for_the_same_seed(sources):
    def names_and_contents(seed):
        return [(one.name, one.content) for one in (make_mutant(seed, n, sources) for n in range(40))]

    assert names_and_contents(7) == names_and_contents(7)
    assert names_and_contents(7) != names_and_contents(8)


def test_every_kind_breaks_files(sources):
    whole = {source.content for source in sources}
    mutants = [make_mutant(SEED, number, sources) for number in range(5 * len(KINDS))]
    assert {one.kind for one in mutants} == {kind.replace(" ", "-") for kind in KINDS}
    assert sum(one.content in whole for one in mutants) <= 5


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "failed",
        "Segment 3 failed 3 times: ValueError: frame at 2 s after one at 3 s.",
        "The file /tmp/x/uploads/1 cannot be read as a video.",
        "the file cannot be read as a video",
    ],
)
def test_reasons_that_tell_a_person_nothing_are_found(reason):
    assert faults_of_reason(reason)
