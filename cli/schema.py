"""Writing the GraphQL schema to a file, and checking a file against it."""

import difflib
from pathlib import Path

from cli.errors import CliError


def write_schema(output: Path | None) -> str:
    """Write the schema to `output`; without it, give it back to be printed."""
    from graphql_api.schema import export_schema

    text = export_schema()
    if output is None:
        return text
    output.write_text(text)
    return ""


def check_schema(path: Path) -> None:
    """Check that `path` holds the schema of this version.

    Raises:
        CliError: It does not; the message shows the difference.
    """
    from graphql_api.schema import export_schema

    committed = path.read_text() if path.exists() else ""
    difference = difflib.unified_diff(
        committed.splitlines(), export_schema().splitlines(), str(path), "the code", lineterm="", n=1
    )
    lines = list(difference)
    if lines:
        raise CliError("\n".join([f"{path} is out of date: run `make schema`.", *lines[:40]]))
