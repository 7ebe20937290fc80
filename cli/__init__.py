"""The `framewise` command."""


def main() -> None:
    """Run the command line; what `framewise` and `python -m cli` call."""
    from cli.app import run

    run()
