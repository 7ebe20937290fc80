"""docs/cli.md has every command of the `framewise` command with its options, and no other."""

import click
import pytest
import typer

from cli.app import app
from tests.docs.markdown import code_spans, headings, read, rows, section

PAGE = "docs/cli.md"


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, name: str) -> None:
        if hasattr(command, "commands"):
            for part, inner in command.commands.items():
                walk(inner, f"{name} {part}")
        elif not command.hidden:
            found[name] = command

    walk(typer.main.get_command(app), "framewise")
    return found


def test_every_command_has_a_section_and_no_other_has():
    assert sorted(headings(read(PAGE), level=2)) == sorted(commands())


@pytest.mark.parametrize("name", commands())
def test_its_options_are_those_it_takes(name):
    options = {
        parameter.opts[0]
        for parameter in commands()[name].params
        if parameter.opts[0].startswith("--") and not getattr(parameter, "hidden", False)
    } - {"--help"}
    listed = [code_spans(cells[0])[0] for cells in rows(section(read(PAGE), name))]
    assert sorted(listed) == sorted(options)


def test_the_trackers_it_names_are_those_it_takes():
    from cli.commands.shared import TrackerName

    listed = rows(section(read(PAGE), "framewise analyze"))
    (cells,) = [cells for cells in listed if cells[0] == "`--tracker`"]
    assert set(code_spans(cells[1])) == {name.value for name in TrackerName}
