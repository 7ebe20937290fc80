"""Clearing away what ended processes left behind, what was deleted, and what is too old."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from domain.account_deletion import finish_account_deletions
from domain.accounts.audit import prune_audit
from domain.accounts.sessions import delete_expired_sessions
from domain.duties import take_duty
from domain.erasure import carry_out_erasures
from domain.events import prune_events
from domain.holders import this_process
from domain.outages import is_outage
from domain.people.export import prune_exports
from domain.people.retention import delete_old_people
from domain.removals import process_removals
from domain.uploads.deletion import delete_expired_uploads
from domain.uploads.service import unfinished_keys
from tasks.garbage import remove_unowned, remove_unused_detections
from tasks.own_models.find import remove_unused_files
from tasks.runtime import Runtime
from tasks.scratch import remove_dead_scratch

log = logging.getLogger(__name__)

REMOVAL_SECONDS = 2.0
"""How often a worker looks for deletions that are not done."""

_DAY_SECONDS = 86400.0
_LEASES_UNTIL_NOTICED = 3


async def keep_house(runtime: Runtime) -> None:
    """One round: unfinished and unowned files, unused detections, old events, ended sessions."""
    settings, storage = runtime.settings, runtime.storage
    removed = {
        "expired uploads": await delete_expired_uploads(),
        "unfinished files": await storage.remove_abandoned(
            settings.abandoned_seconds, await unfinished_keys()
        ),
        "unowned files": await remove_unowned(storage, settings.abandoned_seconds),
        "unused detections": await remove_unused_detections(
            storage, settings.detections_retention_days * _DAY_SECONDS
        ),
        "old events": await prune_events(settings.event_retention_days),
        "people unseen for long": await delete_old_people(
            settings.people_retention_days, late_write_seconds=_late_write_seconds(runtime)
        ),
        "old entries of the audit log": await prune_audit(settings.audit_retention_days),
    }
    await delete_expired_sessions()
    await prune_exports()
    told = ", ".join(f"{count} {name}" for name, count in removed.items() if count)
    if told:
        log.info("removed %s", told)


async def remove_deleted(runtime: Runtime) -> None:
    """Do what is left of deletions: files that are due, accounts whose deletion broke off, bytes to erase."""
    await finish_account_deletions(late_write_seconds=_late_write_seconds(runtime))
    await process_removals(runtime.storage)
    await carry_out_erasures()


def _late_write_seconds(runtime: Runtime) -> float:
    return _LEASES_UNTIL_NOTICED * runtime.settings.lease_seconds


async def keep_house_for_ever(runtime: Runtime) -> None:
    """Keep house now and after each interval, one worker at a time; finish deletions every few seconds."""
    interval_seconds = runtime.settings.housekeeping_interval_seconds

    async def keep() -> None:
        await asyncio.to_thread(remove_dead_scratch, runtime.settings.data_dir)
        await remove_unused_files(runtime.settings.resolved_weights_dir())
        if await take_duty("housekeeping", this_process(), interval_seconds):
            await keep_house(runtime)

    await asyncio.gather(
        _repeat("housekeeping", keep, interval_seconds),
        _repeat("removing deleted files", lambda: remove_deleted(runtime), REMOVAL_SECONDS),
    )


async def _repeat(what: str, action: Callable[[], Awaitable[None]], pause_seconds: float) -> None:
    while True:
        try:
            await action()
        except Exception as error:
            if is_outage(error):
                log.debug("%s waits for the database: %s", what, error)
            else:
                log.exception("%s failed; it is tried again in %g s", what, pause_seconds)
        await asyncio.sleep(pause_seconds)
