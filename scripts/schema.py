"""The schema from release to release: what would break clients, and the reference made from it.

python -m scripts.schema check      fail on changes that break clients, and on a stale reference
python -m scripts.schema reference  write docs/reference.md anew
python -m scripts.schema release    make the schema of the moment the one to compare with
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphql import (
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
)

from scripts.schema_reference import reference

ROOT = Path(__file__).resolve().parent.parent
BASELINE = Path("docs/schema-baseline.graphql")
BREAKS = Path("docs/schema-breaks.md")
REFERENCE = Path("docs/reference.md")
SCHEMA = Path("schema.graphql")

_ROW = re.compile(
    r"^\| *(?P<change>[^|]+?) *\| *(?P<version>[^|]+?) *\| *(?P<reason>[^|]+?) *\|$", re.MULTILINE
)
_ELEMENT = re.compile(
    r"(?:Field|Argument|Enum value) (?P<type>\w+)\.(?P<field>\w+)(?:\((?P<argument>\w+):\))? "
    r"(?:was removed|(?:has )?changed)"
)
_AT_ONCE = "At once:"


@dataclass(frozen=True)
class Break:
    """A change that breaks clients, and why it may not be made; None if it may."""

    change: str
    problem: str | None


def allowed_breaks(text: str) -> Mapping[str, str]:
    """Change → reason, of the lines of docs/schema-breaks.md."""
    rows = {match["change"].strip("`"): match["reason"] for match in _ROW.finditer(text)}
    return {change: reason for change, reason in rows.items() if change != "Change" and set(change) != {"-"}}


def breaks(old: GraphQLSchema, new: GraphQLSchema, allowed: Mapping[str, str]) -> Iterator[Break]:
    """The changes from one schema to another that break clients."""
    for change in find_breaking_changes(old, new):
        yield Break(change.description, _problem(old, change.description, allowed))


def _problem(old: GraphQLSchema, change: str, allowed: Mapping[str, str]) -> str | None:
    reason = allowed.get(change)
    if reason is None:
        return f"add it to {BREAKS} if it is meant"
    if reason.startswith(_AT_ONCE) or not _names_element(change) or _is_deprecated(old, change):
        return None
    return f"it was not deprecated in the last release ({BREAKS} says what to do)"


def _names_element(change: str) -> bool:
    """Whether it is about something that can be deprecated; a type goes with the fields that gave it."""
    return _ELEMENT.match(change) is not None


def _is_deprecated(old: GraphQLSchema, change: str) -> bool:
    match = _ELEMENT.match(change)
    kind = old.type_map.get(match["type"]) if match else None
    if match is None or kind is None:
        return False
    if is_enum_type(kind):
        return kind.values[match["field"]].deprecation_reason is not None
    if is_object_type(kind) or is_interface_type(kind):
        field = kind.fields[match["field"]]
        argument = match["argument"]
        return (field.args[argument] if argument else field).deprecation_reason is not None
    return is_input_object_type(kind) and kind.fields[match["field"]].deprecation_reason is not None


def problems(root: Path, schema: str) -> list[str]:
    """What is wrong with this schema and with the files about it."""
    allowed = allowed_breaks((root / BREAKS).read_text(encoding="utf-8"))
    baseline = (root / BASELINE).read_text(encoding="utf-8")
    found = [*_told(baseline, schema, allowed, "breaks clients")]
    # Who changes the baseline by hand gets past the first check, not past the one with its former self.
    former = _former_text(root, BASELINE)
    if former is not None and former != baseline:
        found += _told(former, baseline, allowed, f"is a break in {BASELINE}")
    path = root / REFERENCE
    if not path.exists() or path.read_text(encoding="utf-8") != reference(schema):
        found.append(f"{REFERENCE} is out of date: run `make schema`.")
    return found


def _told(old: str, new: str, allowed: Mapping[str, str], what: str) -> Iterator[str]:
    for one in breaks(build_schema(old), build_schema(new), allowed):
        if one.problem is not None:
            yield f"“{one.change}” {what}: {one.problem}."


def _former_text(root: Path, path: Path) -> str | None:
    """The file before the newest commit; None where git does not know, as in a clone of one commit."""
    command = ["git", "-C", str(root), "show", f"HEAD~1:{path.as_posix()}"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return shown.stdout if shown.returncode == 0 else None


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    from graphql_api.schema import export_schema

    schema = export_schema()
    match arguments:
        case ["check"]:
            found = problems(ROOT, schema)
            sys.stderr.writelines(f"{problem}\n" for problem in found)
            return 1 if found else 0
        case ["reference"]:
            (ROOT / REFERENCE).write_text(reference(schema), encoding="utf-8")
            return 0
        case ["release"]:
            found = [problem for problem in problems(ROOT, schema) if "breaks clients" in problem]
            sys.stderr.writelines(f"{problem}\n" for problem in found)
            if not found:
                (ROOT / BASELINE).write_text(schema, encoding="utf-8")
            return 1 if found else 0
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
