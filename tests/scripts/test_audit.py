"""scripts/audit.py: a known vulnerability fails the build, a silent service does not."""

import json
import subprocess

import pytest

from scripts.audit import (
    PYTHON_LOCKS,
    ROOT,
    UnreachableError,
    Vulnerability,
    allowed,
    node_vulnerabilities,
    python_vulnerabilities,
    report,
)

FLAW = {"id": "PYSEC-1", "aliases": ["CVE-2026-1", "GHSA-aaaa"]}
BAD = Vulnerability("bad", "1.0", ("PYSEC-1", "CVE-2026-1", "GHSA-aaaa"), "a.lock")


def answering(*outputs, error=""):
    waiting = list(outputs)
    return lambda command, directory: subprocess.CompletedProcess(command, 1, waiting.pop(0), error)


def pip(*flaws):
    return json.dumps({"dependencies": [{"name": "bad", "version": "1.0", "vulns": list(flaws)}]})


def test_pip_audit():
    assert python_vulnerabilities("a.lock", answering(pip(FLAW))) == [BAD]
    assert python_vulnerabilities("a.lock", answering(pip(), pip(FLAW))) == []


@pytest.mark.parametrize("outputs", [("",), ("{}",), (pip(), pip()), (pip(), "")])
def test_pip_audit_that_asked_nobody(outputs):
    with pytest.raises(UnreachableError, match=r"no route|knows nothing"):
        python_vulnerabilities("a.lock", answering(*outputs, error="x\nno route\n"))


def test_npm_audit(monkeypatch):
    monkeypatch.setattr("scripts.audit.shutil.which", lambda *_arguments, **_options: "npm")
    via = [{"url": "https://github.com/advisories/GHSA-bbbb-1", "source": 1}, "another"]
    answer = {"vulnerabilities": {"x": {"name": "x", "range": "<2", "via": via}}}
    assert node_vulnerabilities("web", answering(json.dumps(answer))) == [
        Vulnerability("x", "<2", ("GHSA-bbbb-1",), "web/package-lock.json")
    ]
    for silent in ('{"error": {"summary": "down"}}', '{"message": "405"}', "", "[]"):
        with pytest.raises(UnreachableError):
            node_vulnerabilities("web", answering(silent))


def test_the_report():
    def silent():
        raise UnreachableError("no route")

    checks = {"a.lock": lambda: [BAD], "b.lock": list, "c.lock": silent}
    lines, code = report(checks, {})
    assert code == 1
    assert [line.partition(":")[0] for line in lines] == ["VULNERABLE", "b.lock", "WARNING"]
    assert "no route" in lines[2]
    table = "| Id | Package | Reason |\n|---|---|---|\n| `CVE-2026-1` | bad | only in tests |\n"
    lines, code = report(checks, allowed(table))
    assert (lines[0], code) == ("a.lock: nothing known, 1 accepted", 0)
    assert report({"c.lock": silent}, {})[1] == 0


def test_every_lock_file_of_python_is_audited_and_renewed():
    found = {path for folder in ("requirements", "tests") for path in (ROOT / folder).rglob("*.lock")}
    locks = {str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts}
    assert locks == set(PYTHON_LOCKS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [lock for lock in locks if f" -o {lock}\n" not in makefile] == []
