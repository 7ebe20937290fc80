"""scripts/schema.py: what breaks clients does not pass, and how it may be done."""

import subprocess

import pytest
from graphql import build_schema

from scripts.schema import ROOT, allowed_breaks, breaks, problems
from scripts.schema_reference import reference

OLD = """
type Query { kept(x: Int): Int going: Int @deprecated(reason: "x") other(y: Int @deprecated(reason: "x")): E gone: Gone }
enum E { P Q @deprecated(reason: "x") }
input I { a: Int b: Int @deprecated(reason: "x") }
type Gone { a: Int }
type Mutation { m(i: I): Int }
"""
BREAKS_NOTHING = OLD.replace("kept(x: Int): Int", '"More." kept(x: Int, z: Int = 1): Int new: Int')


def _problems(new, *lines):
    table = "| Change | Version | Reason |\n|---|---|---|\n" + "".join(f"| {line} |\n" for line in lines)
    found = breaks(build_schema(OLD), build_schema(new), allowed_breaks(table))
    return {one.change: one.problem for one in found}


def test_what_is_added_breaks_nothing():
    assert _problems(BREAKS_NOTHING) == {}


@pytest.mark.parametrize(
    ("removed", "change", "is_deprecated"),
    [
        ("kept(x: Int): Int ", "Field Query.kept was removed.", False),
        ('going: Int @deprecated(reason: "x")', "Field Query.going was removed.", True),
        ("(x: Int)", "Argument Query.kept(x:) was removed.", False),
        ('(y: Int @deprecated(reason: "x"))', "Argument Query.other(y:) was removed.", True),
        (' Q @deprecated(reason: "x")', "Enum value E.Q was removed.", True),
        ("P ", "Enum value E.P was removed.", False),
        ("a: Int b: Int @", "Field I.a was removed.", False),
    ],
)
def test_a_removal_needs_a_line_and_a_deprecation(removed, change, is_deprecated):
    new = OLD.replace(removed, "b: Int @" if "I.a" in change else "", 1)
    assert "docs/schema-breaks.md" in _problems(new)[change]
    listed = _problems(new, f"{change} | 1.0 | nobody used it")[change]
    assert (listed is None) is is_deprecated
    assert _problems(new, f"`{change}` | 1.0 | At once: it showed too much")[change] is None


def test_another_type_breaks_clients():
    new = OLD.replace("kept(x: Int): Int", "kept(x: Int!): String")
    assert set(_problems(new)) == {
        "Field Query.kept changed type from Int to String.",
        "Argument Query.kept(x:) has changed type from Int to Int!.",
    }
    assert None not in _problems(new, *(f"{change} | 1 | because" for change in _problems(new))).values()


def test_a_type_may_go_with_a_line():
    new = OLD.replace("gone: Gone", "").replace("type Gone { a: Int }", "")
    lines = ("Gone was removed. | 1 | x", "Field Query.gone was removed. | 1 | At once: x")
    assert set(_problems(new, *lines).values()) == {None}


@pytest.fixture
def project(tmp_path):
    """A repository with a baseline, whose newest commit changed it by hand if the test says so."""

    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    def commit(baseline):
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs/schema-baseline.graphql").write_text(baseline)
        (tmp_path / "docs/schema-breaks.md").write_text("")
        (tmp_path / "docs/reference.md").write_text(reference(baseline))
        git("add", ".")
        git("commit", "--message", "x", "--allow-empty")

    git("init")
    return tmp_path, commit


def test_who_changes_the_baseline_by_hand_is_caught(project):
    directory, commit = project
    broken = OLD.replace("kept(x: Int): Int ", "")
    commit(OLD)
    assert "out of date" in problems(directory, BREAKS_NOTHING)[0]
    assert "breaks clients" in problems(directory, broken)[0]
    commit(broken)
    assert problems(directory, broken) == [
        "“Field Query.kept was removed.” is a break in docs/schema-baseline.graphql: add it to "
        "docs/schema-breaks.md if it is meant."
    ]


def test_this_schema_breaks_nobody_and_its_reference_is_fresh():
    assert problems(ROOT, (ROOT / "schema.graphql").read_text()) == []
