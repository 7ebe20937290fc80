"""`framewise models`: what there is, and fetching weights."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from cli import text
from cli.errors import CliError
from cli.local_models import find_local_spec
from cli.printing import new_table, say
from ml_models.catalog import MLModelSpec, all_specs, broken_models
from ml_models.errors import MLModelError
from ml_models.measurements import measured
from ml_models.weights import ensure_weights, is_ready
from settings import Settings


def list_models(settings: Settings, console: Console) -> None:
    """Print every model, and what is wrong with those that cannot be used."""
    specs = all_specs()
    table = new_table()
    table.add_column("Model", no_wrap=True)
    table.add_column("Task")
    table.add_column("Labels")
    table.add_column("Weights", justify="right", no_wrap=True)
    table.add_column("Licence")
    table.add_column("AP50", no_wrap=True)
    table.add_column("Ready", no_wrap=True)
    for spec in specs.values():
        ready = is_ready(spec, settings.resolved_weights_dir(), settings.resolved_weights_mirror())
        table.add_row(
            spec.name,
            spec.task.value.replace("_", " ").lower(),
            _labels(spec),
            text.byte_count(spec.weights.size_bytes) if spec.weights else "none",
            spec.license,
            _average_precision(spec),
            Text("yes", style="green") if ready else Text("no", style="yellow"),
        )
    console.print(table)
    for spec in specs.values():
        if spec.extra is not None and not spec.is_installed:
            say(console, f"{spec.name} needs: {spec.extra.how_to_install}", "yellow")
    print_broken(console)


def print_broken(console: Console) -> int:
    """Say what is wrong with models that are left out; how many these are."""
    broken = broken_models()
    for model in broken:
        say(console, f"{model.name} is left out: {model.error}", "red")
    return len(broken)


def _labels(spec: MLModelSpec) -> str:
    return spec.labels[0] if len(spec.labels) == 1 else str(len(spec.labels))


def _average_precision(spec: MLModelSpec) -> str:
    """On each of the labelled folders."""
    found = (quality for quality in measured(spec.name).quality if quality.metric == "AP50")
    return "\n".join(f"{quality.value:.2f} {quality.data.partition(':')[0]}" for quality in found)


def pull_models(settings: Settings, names: Sequence[str], console: Console) -> int:
    """Fetch the weights of the named models, if none is named of all whose extra is installed; the exit code.

    Raises:
        CliError: There is no model of a name.
    """
    try:
        usable = (spec for spec in all_specs().values() if spec.weights and spec.is_installed)
        specs = [find_local_spec(name) for name in names] or list(usable)
    except MLModelError as error:
        raise CliError(str(error), 2) from error
    failed = False
    for spec in specs:
        try:
            _pull(settings, spec, console)
        except MLModelError as error:
            failed = failed or bool(names) or _is_published(spec)
            say(console, f"{spec.name}: {error}", "red")
    if not names:
        print_broken(console)
    return int(failed)


def _is_published(spec: MLModelSpec) -> bool:
    return spec.weights is not None and bool(spec.weights.url)


def _pull(settings: Settings, spec: MLModelSpec, console: Console) -> None:
    if spec.weights is None:
        console.print(f"{spec.name}: needs no weights", highlight=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(spec.name, total=spec.weights.size_bytes)
        path = ensure_weights(
            spec,
            settings.resolved_weights_dir(),
            settings.resolved_weights_mirror(),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    say(console, f"{spec.name}: ready, {path}")
