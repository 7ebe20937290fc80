"""What must hold when the trouble is over."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.ledger import Ledger
from tests.chaos.server import ChaosServer

_FINAL = "('SUCCEEDED', 'FAILED', 'CANCELLED')"
_GIVEN_UP = "('FAILED', 'CANCELLED')"

STUCK = {
    "unfinished analyses": f"SELECT count(*) FROM analyses WHERE status NOT IN {_FINAL}",
    "running segments": "SELECT count(*) FROM segments WHERE status = 'RUNNING'",
    "waiting segments": "SELECT count(*) FROM segments s JOIN analyses a ON a.id = s.analysis_id "
    f"WHERE s.status = 'WAITING' AND a.status NOT IN {_GIVEN_UP}",
    "videos being probed": "SELECT count(*) FROM videos WHERE status = 'PROBING'",
    "leases of segments": "SELECT count(*) FROM segments WHERE lease_expires_at IS NOT NULL",
    "leases of analyses": "SELECT count(*) FROM analyses WHERE lease_expires_at IS NOT NULL",
    "leases of videos": "SELECT count(*) FROM videos WHERE lease_expires_at IS NOT NULL",
}
"""What there must be none of when all work is done."""

_TABLES = ("videos", "analyses", "segments", "tracks", "label_totals")
_SHOWN = 5


@dataclass(frozen=True)
class Check:
    """One line of the verdict. An aim that is missed is shown but fails nothing."""

    name: str
    ok: bool
    detail: str = ""
    is_aim: bool = False


@dataclass
class Verdict:
    """All lines so far."""

    checks: list[Check] = field(default_factory=list)

    def none(self, name: str, found: Sequence[object]) -> None:
        """There must be none of these."""
        shown = "; ".join(str(one) for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        self.checks.append(Check(name, not found, f"{len(found)}: {shown}{more}" if found else ""))

    def at_most(self, name: str, found: float, limit: float, *, is_aim: bool = False, unit: str = "") -> None:
        detail = f"{found:.4g}{unit} of at most {limit:.4g}{unit}"
        self.checks.append(Check(name, found <= limit, detail, is_aim))

    def holds(self, name: str, ok: bool, detail: str = "") -> None:
        self.checks.append(Check(name, ok, detail))

    @property
    def exit_code(self) -> int:
        return int(any(not check.ok and not check.is_aim for check in self.checks))


async def stuck_rows(ledger: Ledger) -> list[str]:
    """What of `STUCK` there is."""
    found = []
    for name, sql in STUCK.items():
        ((count,),) = await ledger.rows(sql)
        if count:
            found.append(f"{count} {name}")
    return found


async def left_rows(ledger: Ledger) -> list[str]:
    """Rows that are left when every video is deleted."""
    found = []
    for table in _TABLES:
        ((count,),) = await ledger.rows(f"SELECT count(*) FROM {table}")
        if count:
            found.append(f"{count} {table}")
    return found


async def stray_files(ledger: Ledger, files: Path) -> list[str]:
    """Stored files that no row refers to, and files that a row refers to and that are missing."""
    videos = await ledger.rows("SELECT CAST(id AS TEXT), storage_key, sha256 FROM videos")
    rows = await ledger.rows("SELECT CAST(id AS TEXT), status FROM analyses")
    uploads = {str(row[1]) for row in videos if row[1]}
    owners: dict[str, set[Any]] = {
        "videos": {row[0] for row in videos},
        "detections": {row[2] for row in videos},
        "analyses": {row[0] for row in rows},
    }
    succeeded = {row[0] for row in rows if row[1] == "SUCCEEDED"}
    keys = set(await asyncio.to_thread(stored_keys, files))
    stray = []
    for key in keys - uploads:
        top, _, rest = key.partition("/")
        owner, _, name = rest.partition("/")
        unneeded = top == "analyses" and owner in succeeded and name.startswith("tracker/")
        if owner not in owners.get(top, ()) or unneeded:
            stray.append(key)
    return sorted(stray) + sorted(f"{key} is missing" for key in uploads - keys)


def stored_keys(files: Path) -> list[str]:
    """Every file in a folder, by its path in it."""
    return [path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()]


async def until_none(look: Any, timeout_seconds: float) -> list[str]:
    """What `look` still finds after so long; nothing as soon as it finds nothing."""
    gives_up = time.monotonic() + timeout_seconds
    while (found := await look()) and time.monotonic() < gives_up:
        await asyncio.sleep(0.5)
    return list(found)


async def orphans(server: ChaosServer) -> list[str]:
    """Processes of a stopped server that still live a second later."""
    for _ in range(20):
        left = server.census.left_over()
        if not left:
            return []
        await asyncio.sleep(0.05)
    return [f"{process.kind} {process.pid}: {' '.join(process.command)}" for process in left]


def left_in(folder: Path) -> list[str]:
    """Files in a folder, if there is one."""
    return stored_keys(folder) if folder.exists() else []
