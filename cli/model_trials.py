"""`framewise models check` and `bench`: each model is tried in a process of its own, which may crash."""

import multiprocessing
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

from rich.console import Console
from rich.table import Table

from cli.errors import CliError
from cli.local_models import find_local_spec
from cli.models import print_broken
from cli.one_thread import keep_to_one_thread
from cli.printing import new_table, say
from media.errors import MediaError
from ml_models.catalog import MLModelSpec, MLTask, all_specs
from ml_models.compute import Compute, Device
from ml_models.errors import MLModelError
from ml_models.factory import check_installed
from ml_models.measurements import Speed, record_quality, record_speed
from ml_models.trial import Place, milliseconds_per_call, try_out, verify_people
from ml_models.weights import ensure_weights, is_ready
from settings import Settings
from tasks.evaluation.errors import EvaluationError
from tasks.evaluation.quality import measure_quality

_P = ParamSpec("_P")
_T = TypeVar("_T")

_COMMAND = "framewise models bench"
_IMAGE = "a photograph of 512 by 600 pixels"
_CPU_INFO = Path("/proc/cpuinfo")


class _CrashedError(Exception):
    """Raised when the process that tries a model ends without an answer."""


_FAILURES = (MLModelError, EvaluationError, MediaError, OSError, _CrashedError)


def check_models(settings: Settings, names: Sequence[str], console: Console) -> int:
    """Check the weights of models and run each on a photograph; the exit code.

    Without names, those are checked that are ready; the others are listed, and so is what is left out.

    Raises:
        CliError: There is no model of a name.
    """
    specs = _specs(names)
    failed = False
    for spec in specs:
        if not names and not _is_ready(spec, settings):
            say(console, f"{spec.name}: not ready: {_what_is_missing(spec)}", "yellow")
            continue
        try:
            say(console, f"{spec.name}: {_checked(spec, settings)}")
        except _FAILURES as error:
            failed = True
            say(console, f"{spec.name}: {error}", "red")
    if not names and print_broken(console):
        failed = True
    return int(failed)


def bench_models(
    settings: Settings, names: Sequence[str], console: Console, *, seconds: float, save: Path | None
) -> int:
    """Measure how long models take for a frame, at one and two threads, and print a table; the exit code.

    Raises:
        CliError: There is no model of a name.
    """
    table = new_table(caption=f"{_IMAGE}, {_cpu()}")
    table.add_column("Model", no_wrap=True)
    table.add_column("ms, 1 thread", justify="right")
    table.add_column("ms, 2 threads", justify="right")
    table.add_column("frames/s, 1 thread", justify="right")
    speeds: dict[str, Speed] = {}

    def measure(spec: MLModelSpec) -> None:
        one, two = (_milliseconds(spec, settings, threads, seconds) for threads in (1, 2))
        speeds[spec.name] = Speed(round(one, 2), round(two, 2), _IMAGE, _cpu(), _COMMAND)
        table.add_row(spec.name, f"{one:.2f}", f"{two:.2f}", f"{1000 / one:.1f}")

    exit_code = _fill(table, console, _ready_specs(names, settings), measure)
    if save is not None:
        record_speed(save, speeds)
        say(console, f"Written to {save}.")
    return exit_code


def verify_models(
    settings: Settings, names: Sequence[str], console: Console, *, people: Path, save: Path | None
) -> int:
    """Measure how well models tell people apart by their faces, and print a table; the exit code.

    Raises:
        CliError: There is no model of a name, or no such folder.
    """
    if not people.is_dir():
        raise CliError(f"{people} is no folder.", 2)
    table = new_table()
    table.add_column("Model", no_wrap=True)
    for column in ("Same from", "Lowest of one person", "Highest of two", "Margin", "Rightly judged"):
        table.add_column(column, justify="right")

    def measure(spec: MLModelSpec) -> None:
        outcome = _in_a_process(verify_people, spec.name, _place(settings, 1), people)
        figures = (outcome.same_similarity, outcome.same[0], outcome.different[0], outcome.margin)
        table.add_row(spec.name, *(f"{value:.3f}" for value in figures), f"{outcome.accuracy:.1%}")
        if save is not None:
            record_quality(save, spec.name, outcome.qualities(f"{_COMMAND} --people"))

    specs = _ready_specs(names, settings)
    return _fill(table, console, [spec for spec in specs if spec.task is MLTask.FACE_EMBEDDING], measure)


def judge_models(
    settings: Settings,
    names: Sequence[str],
    console: Console,
    *,
    labelled: Path,
    media: Path | None,
    save: Path | None,
) -> int:
    """Measure how well detectors find what is labelled, and print a table; the exit code.

    Raises:
        CliError: There is no model of a name.
    """
    table = new_table()
    table.add_column("Model", no_wrap=True)
    table.add_column("Labelled")
    for column in ("AP50", "AP", "Recall", "Precision"):
        table.add_column(column, justify="right", no_wrap=True)

    def measure(spec: MLModelSpec) -> None:
        for one in _in_a_process(measure_quality, spec.name, _place(settings, 1), labelled, media):
            figures = (one.scores.ap50, one.scores.ap, one.scores.recall, one.scores.precision)
            cells = ("-" if value is None else f"{value:.3f}" for value in figures)
            table.add_row(spec.name, one.data, *cells)
            if save is not None:
                record_quality(save, spec.name, one.qualities(f"{_COMMAND} --labelled"))

    specs = _ready_specs(names, settings)
    return _fill(table, console, [spec for spec in specs if spec.task.is_detection], measure)


def _fill(
    table: Table, console: Console, specs: Sequence[MLModelSpec], measure: Callable[[MLModelSpec], None]
) -> int:
    """Measure models, each of which adds its rows; print the table and what failed; the exit code."""
    failures = []
    for spec in specs:
        try:
            measure(spec)
        except _FAILURES as error:
            failures.append(f"{spec.name}: {error}")
    console.print(table)
    for failure in failures:
        say(console, failure, "red")
    return int(bool(failures))


def _specs(names: Sequence[str]) -> list[MLModelSpec]:
    try:
        return [find_local_spec(name) for name in names] or list(all_specs().values())
    except MLModelError as error:
        raise CliError(str(error), 2) from error


def _ready_specs(names: Sequence[str], settings: Settings) -> list[MLModelSpec]:
    """The named models; without names, those that are ready."""
    return [spec for spec in _specs(names) if names or _is_ready(spec, settings)]


def _is_ready(spec: MLModelSpec, settings: Settings) -> bool:
    return is_ready(spec, settings.resolved_weights_dir(), settings.resolved_weights_mirror())


def _what_is_missing(spec: MLModelSpec) -> str:
    if spec.extra is not None and not spec.is_installed:
        return spec.extra.how_to_install
    return f"framewise models pull {spec.name}"


def _checked(spec: MLModelSpec, settings: Settings) -> str:
    check_installed(spec)
    if spec.weights is not None:
        ensure_weights(spec, settings.resolved_weights_dir(), settings.resolved_weights_mirror())
    return _in_a_process(try_out, spec.name, _place(settings, 1))


def _milliseconds(spec: MLModelSpec, settings: Settings, threads: int, seconds: float) -> float:
    return _in_a_process(milliseconds_per_call, spec.name, _place(settings, threads), seconds)


def _place(settings: Settings, threads: int) -> Place:
    compute = Compute(Device(settings.device), threads)
    return Place(settings.resolved_weights_dir(), settings.resolved_weights_mirror(), compute)


def _in_a_process(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What the function gives in a new process.

    Raises:
        _CrashedError: The process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=keep_to_one_thread) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise _CrashedError("its process crashed") from error


def _cpu() -> str:
    """The name of the processor, as the system tells it."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
