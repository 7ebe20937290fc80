"""Short versions of `make chaos`."""

import sys

import pytest

from tests.chaos.__main__ import COMMANDS, main

pytestmark = [
    pytest.mark.xdist_group("server"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc"),
]


def run(command: str, *options: str, media_dir, weights_dir) -> int:
    folders = ["--media", str(media_dir), "--weights", str(weights_dir)]
    return main([command, "--short", "--seed", "7", "--minutes", "8", *folders, *options])


def test_what_is_killed_changes_no_result_and_leaves_nothing_behind(media_dir, weights_dir):
    assert run("kills", "--kills", "8", media_dir=media_dir, weights_dir=weights_dir) == 0


def test_a_storm_of_control_calls_ends_in_legal_states(media_dir, weights_dir):
    assert run("storm", "--calls", "100", "--stops", "8", media_dir=media_dir, weights_dir=weights_dir) == 0


def test_an_unknown_command_names_those_there_are(capsys):
    assert main(["typo"]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in COMMANDS)
