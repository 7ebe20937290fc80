"""What `framewise serve` says when it is ready."""

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.data_files import credentials_file
from settings import Settings


def print_banner(console: Console, settings: Settings, url: str, *, username: str | None = None) -> None:
    """Print where the server is reached and what to do next.

    Args:
        console: Where to print.
        settings: What the server runs with.
        url: Its address.
        username: The local account, if one was made; its password is in a file that is named.
    """
    lines: list[tuple[str, Text]] = [
        ("GraphQL", Text.assemble((f"{url}/graphql", "bold cyan"), ("   in a browser: GraphiQL", "dim"))),
        ("Data", Text(str(settings.data_dir))),
        ("Slots", Text(str(settings.slots))),
        ("Models", ready_models(settings)),
    ]
    if username is not None:
        password = f"   its password: {credentials_file(settings.data_dir)}"
        lines.append(("Sign in as", Text.assemble(username, (password, "dim"))))
    lines += [("Try it", Text(first_command(settings.data_dir), style="green")), ("Stop", Text("Ctrl-C"))]
    console.print()
    console.print(Text("Framewise is running", style="bold green"))
    console.print()
    for label, text in lines:
        # Soft-wrapped, so that what is copied from the terminal has no line breaks in it.
        console.print(Text.assemble((f"  {label:<12}", "dim"), text), soft_wrap=True)
    console.print()


def first_command(data_dir: Path) -> str:
    """What to type, here and now, to have a video analysed by this server."""
    default = Settings.model_fields["data_dir"].get_default(call_default_factory=True)
    option = (
        "" if Path(default).absolute() == data_dir.absolute() else f" --data-dir {shlex.quote(str(data_dir))}"
    )
    return f"{program()} analyze{option} VIDEO.mp4"


def program() -> str:
    """How the shell finds this installation's `framewise` from the working directory."""
    script = Path(sysconfig.get_path("scripts"), "framewise")
    found = shutil.which("framewise")
    if not script.exists() or (found is not None and os.path.samefile(found, script)):
        return "framewise"
    here = Path.cwd()
    if not script.is_relative_to(here):
        return shlex.quote(str(script))
    relative = str(script.relative_to(here))
    # Without a slash the shell would look for it on PATH.
    return shlex.quote(relative if os.sep in relative else os.path.join(".", relative))


def ready_models(settings: Settings) -> Text:
    """How many models can start at once, and what to type for the others."""
    from ml_models.catalog import all_specs, broken_models
    from ml_models.weights import is_ready

    every = list(all_specs().values())
    specs = [spec for spec in every if spec.is_installed]
    missing = len(every) - len(specs)
    weights_dir, mirror = settings.resolved_weights_dir(), settings.resolved_weights_mirror()
    ready = sum(is_ready(spec, weights_dir, mirror) for spec in specs)
    broken = Text("".join(f"\n{model.error}" for model in broken_models()), style="red")
    to_fetch = len(specs) - ready
    counts = [f"{ready} of {len(every)} ready" if ready < len(every) else f"{ready} ready"]
    counts += [f"{to_fetch} to fetch"] * bool(to_fetch)
    counts += [f"{missing} {'needs' if missing == 1 else 'need'} an extra"] * bool(missing)
    hint = f"   fetch: {program()} models pull --all" if to_fetch else ""
    return Text.assemble(", ".join(counts), (hint, "dim"), broken)
