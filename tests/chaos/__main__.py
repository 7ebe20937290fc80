"""`make chaos`: python -m tests.chaos [COMMAND] [OPTIONS]; `kills` is the default command."""

import importlib
import sys
from collections.abc import Callable

COMMANDS: dict[str, str] = {
    "kills": "tests.chaos.kills:main",
    "storm": "tests.chaos.storm:main",
    "mutants": "tests.chaos.mutants:main",
    "register": "tests.chaos.register:main",
    "soak": "tests.chaos.soak:main",
    "attacks": "tests.attacks.full:main",
    "subscribers": "tests.chaos.subscribers:main",
}
"""Command → "module:function"; it gets the arguments after the command and gives the exit code."""


def main(arguments: list[str]) -> int:
    name, rest = "kills", arguments
    if arguments and not arguments[0].startswith("-"):
        name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        sys.stderr.write(f"There is no command {name!r}; there are: {', '.join(COMMANDS)}.\n")
        return 2
    module, _, function = COMMANDS[name].partition(":")
    run: Callable[[list[str]], int] = getattr(importlib.import_module(module), function)
    return run(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
