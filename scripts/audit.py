"""Known vulnerabilities in what this project uses: fails on one, says plainly where nobody could be asked.

    python -m scripts.audit

It asks `pip-audit` about each lock file of Python and `npm audit` about each package-lock.json. A machine
without a network, or with a registry that has no such service, gets a warning and no failure: a build must
not depend on that. docs/audit-allowed.md lists what is known and accepted, each with a reason.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = Path("docs/audit-allowed.md")
PYTHON_LOCKS = (
    "requirements/run.lock",
    "requirements/dev.lock",
    "requirements/bootstrap.lock",
    "tests/tools/datumaro.lock",
)
_PROBE = "jinja2==2.10"
"""What every service that knows vulnerabilities knows some of."""
NODE_PROJECTS = ("web", "tests/clients")
PATIENCE_SECONDS = 60

_ROW = re.compile(
    r"^\| *`?(?P<id>[A-Z]+-[\w-]+)`? *\| *(?P<package>[^|]+?) *\| *(?P<reason>[^|]+?) *\|$", re.M
)


@dataclass(frozen=True)
class Vulnerability:
    """A package that should be another version."""

    package: str
    version: str
    ids: tuple[str, ...]
    """All names of it: CVE, GHSA, PYSEC."""
    place: str
    """The lock file."""


class UnreachableError(Exception):
    """Raised when the service that knows vulnerabilities does not answer; `str()` says why in one line."""


Run = Callable[[Sequence[str], Path], subprocess.CompletedProcess[str]]


def run(command: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command for a while.

    Raises:
        UnreachableError: It is not there, or takes too long.
    """
    try:
        return subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"no answer within {PATIENCE_SECONDS} s") from error
    except OSError as error:
        raise UnreachableError(str(error)) from error


def python_vulnerabilities(lock: str, run: Run = run) -> list[Vulnerability]:
    """What `pip-audit` knows of the packages in a lock file.

    Raises:
        UnreachableError: It could not ask, or asked somebody who knows nothing.
    """
    found = _pip_audit(lock, run)
    if not any(one.get("vulns") for one in found):
        # A mirror of the package index may answer without knowing any vulnerability at all.
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as probe:
            probe.write(f"{_PROBE}\n")
            probe.flush()
            if not any(one.get("vulns") for one in _pip_audit(probe.name, run)):
                raise UnreachableError(f"the package index knows nothing, not even of {_PROBE}")
    return [
        Vulnerability(one["name"], one.get("version", "?"), (flaw["id"], *flaw.get("aliases", ())), lock)
        for one in found
        for flaw in one.get("vulns", ())
    ]


def _pip_audit(lock: str, run: Run) -> list[dict[str, Any]]:
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip", "--no-deps",
        "--format", "json", "--progress-spinner", "off", "--timeout", "10",
    ]  # fmt: skip
    done = run(command, ROOT)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise UnreachableError(_last_line(done.stderr)) from None
    return found


def node_vulnerabilities(project: str, run: Run = run) -> list[Vulnerability]:
    """What `npm audit` knows of the packages in a lock file.

    Raises:
        UnreachableError: It could not ask.
    """
    npm = shutil.which("npm", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if npm is None:
        raise UnreachableError("npm is missing")
    done = run([npm, "audit", "--json", "--package-lock-only"], ROOT / project)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise UnreachableError(_last_line(done.stderr)) from None
    if not isinstance(answer, dict):
        raise UnreachableError("an answer of another form")
    if "vulnerabilities" not in answer:
        raise UnreachableError(_last_line(str(answer.get("message") or answer.get("error") or answer)))
    found = answer["vulnerabilities"].values()
    return [
        Vulnerability(one["name"], one.get("range", "?"), _ghsa(cause), f"{project}/package-lock.json")
        for one in found
        for cause in one["via"]
        if isinstance(cause, dict)
    ]


def allowed(text: str) -> Mapping[str, str]:
    """Id → reason, of the lines of docs/audit-allowed.md."""
    return {match["id"]: match["reason"] for match in _ROW.finditer(text)}


def report(
    checks: Mapping[str, Callable[[], Sequence[Vulnerability]]], accepted: Mapping[str, str]
) -> tuple[list[str], int]:
    """What to say about each lock file, and the exit code."""
    lines, code = [], 0
    with ThreadPoolExecutor(len(checks)) as pool:  # they wait for the network
        running = {place: pool.submit(check) for place, check in checks.items()}
    for place, result in running.items():
        try:
            found = result.result()
        except UnreachableError as error:
            lines.append(f"WARNING: {place} was not audited: {error}")
            continue
        bad = [one for one in found if not accepted.keys() & set(one.ids)]
        for one in bad:
            lines.append(f"VULNERABLE: {one.package} {one.version} in {place}: {', '.join(one.ids)}")
            code = 1
        if not bad:
            lines.append(f"{place}: nothing known" + (f", {len(found)} accepted" if found else ""))
    return lines, code


def main() -> int:
    """Audit everything."""
    checks: dict[str, Callable[[], Sequence[Vulnerability]]] = {
        lock: partial(python_vulnerabilities, lock) for lock in PYTHON_LOCKS
    }
    for project in NODE_PROJECTS:
        checks[f"{project}/package-lock.json"] = partial(node_vulnerabilities, project)
    lines, code = report(checks, allowed((ROOT / ALLOWED).read_text(encoding="utf-8")))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return code


def _ghsa(cause: Mapping[str, str]) -> tuple[str, ...]:
    match = re.search(r"GHSA-[\w-]+", cause.get("url", ""))
    return (match[0],) if match else (str(cause.get("source", "?")),)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


if __name__ == "__main__":
    sys.exit(main())
