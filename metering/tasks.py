"""Sweeps that roll up what has come in; each finds its work in the database and does nothing the second time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from metering.checking import check_gateways, check_physics, check_reporters, check_residuals
from metering.cluster_hours import sum_cluster_hours
from metering.event_retention import forget_keys
from metering.partition_plans import PLANS
from metering.rebuild_events import apply_cuts
from metering.restating import nodes_to_check, restate_node
from metering.restating_events import note_changes, restate_events, tenants_to_restate
from metering.retention import keep_table
from metering.rollup import lagging_nodes, roll_up_node
from metering.rollup_events import CHUNK_EVENTS, ChunkFailed, roll_up_events
from metering.telling import tell_metering
from metering.usage_days import sum_days
from metering.validating import nodes_to_validate, validate_node
from metering.watching import end_silences, expect_hours, find_silences

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)

SWEEP_S_MAX: Final = 60.0
"""A sweep ends by then; the next one goes on where it stopped."""


@shared_task(name="metering.tasks.rollup_batches")
def rollup_batches(**_: object) -> int:
    """Roll up every node that lags; return how many batches were rolled up."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    rolled = 0
    for node_id in lagging_nodes():
        more = True
        while more and time.monotonic() < ends_at:
            try:
                done = roll_up_node(node_id=node_id, now=timezone.now())
            except Exception:
                # One node's trouble, whatever it is, must not keep others waiting; the next sweep comes back to it.
                logger.exception("Rolling up node %s failed.", node_id)
                break
            more = done is not None and done.more
            rolled += done.batches if done else 0
    return rolled


@shared_task(name="metering.tasks.restate_usage")
def restate_usage(**_: object) -> int:
    """Move usage whose owner or parts changed after it was rolled up; return how many rows it took."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    moved = 0
    for node_id in nodes_to_check(now=timezone.now()):
        if time.monotonic() >= ends_at:
            break
        try:
            moved += restate_node(node_id=node_id, now=timezone.now()) or 0
        except Exception:
            # One node's trouble must not keep others waiting; the next sweep comes back to it.
            logger.exception("Restating the usage of node %s failed.", node_id)
    try:
        moved += apply_cuts(now=timezone.now())
    except Exception:
        logger.exception("Parting gateways' usage at late cuts failed.")
    return moved + _restate_events(ends_at)


def _restate_events(ends_at: float) -> int:
    """Move events that belong to other deployments by now; return how many rows it took."""
    while time.monotonic() < ends_at and note_changes(now=timezone.now()):
        continue
    moved = 0
    for tenant_id in tenants_to_restate():
        try:
            while time.monotonic() < ends_at:
                piece = restate_events(tenant_id=tenant_id, now=timezone.now())
                if piece is None:
                    break
                moved += piece
        except Exception:
            logger.exception("Restating the events of tenant %s failed.", tenant_id)
    return moved


@shared_task(name="metering.tasks.sum_usage_days")
def sum_usage_days(**_: object) -> int:
    """Sum the usage hours of days that are over; return how many days."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    summed = 0
    while time.monotonic() < ends_at and (some := sum_days(now=timezone.now())):
        summed += some
    return summed


@shared_task(name="metering.tasks.sum_clusters")
def sum_clusters(**_: object) -> int:
    """Sum what clusters show and use in the hours that are settled; return how many sums were made."""
    return sum_cluster_hours(now=timezone.now())


@shared_task(name="metering.tasks.validate_usage")
def validate_usage(**_: object) -> int:
    """Check the usage hours that are over, or were written since they were checked; return how many."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    checked = 0
    for node_id in nodes_to_validate():
        if time.monotonic() >= ends_at:
            break
        try:
            checked += validate_node(node_id=node_id, now=timezone.now()) or 0
        except Exception:
            logger.exception("Checking the usage of node %s failed.", node_id)
    return checked


@shared_task(name="metering.tasks.rollup_events")
def rollup_events(**_: object) -> int:
    """Roll up every queued event; return how many."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    rolled, chunk_events = 0, CHUNK_EVENTS
    passed_over: set[UUID] = set()
    while time.monotonic() < ends_at:
        try:
            counted = roll_up_events(now=timezone.now(), chunk_events=chunk_events, passed_over=passed_over)
        except ChunkFailed as failed:
            # One call's trouble must not keep all others waiting: it is found, and the next sweep comes back to it.
            alone = len(failed.calls) == 1
            logger.exception("Rolling up events failed: %s.", "one call" if alone else "looking for the call")
            passed_over |= failed.calls if alone else set()
            chunk_events = CHUNK_EVENTS if alone else 1
            continue
        if not counted:
            break
        rolled += counted
    return rolled


@shared_task(name="metering.tasks.watch_nodes")
def watch_nodes(**_: object) -> int:
    """Find the nodes that fell silent, and end the silences that were filled; return how many."""
    now = timezone.now()
    return end_silences(now=now) + find_silences(now=now)


@shared_task(name="metering.tasks.tell_metering")
def tell_found(**_: object) -> int:
    """Tell programs outside of silent nodes, gaps, and witnesses that differ; return of how many."""
    return tell_metering(now=timezone.now())


@shared_task(name="metering.tasks.expect_node_hours")
def expect_node_hours(**_: object) -> int:
    """Write what every node was to report of the last hours; return how many rows changed."""
    return expect_hours(now=timezone.now())


@shared_task(name="metering.tasks.check_figures")
def check_figures(**_: object) -> int:
    """Look for figures that do not fit, in hours that have settled; return how many alerts stand."""
    now = timezone.now()
    return sum(check(now=now) for check in (check_residuals, check_physics, check_gateways, check_reporters))


@shared_task(name="metering.tasks.keep_partitions")
def keep_partitions(**_: object) -> int:
    """Make, archive and drop parts of the big tables; return how many were."""
    done = 0
    for plan in PLANS:
        try:
            kept = keep_table(plan=plan, directory=settings.ARCHIVE_DIR, now=timezone.now())
        except Exception:
            # A full archive folder, say, must not keep the other tables from getting their parts.
            logger.exception("Keeping the parts of %s failed.", plan.table)
            continue
        done += len(kept.made) + len(kept.archived) + len(kept.dropped)
        for name, reason in kept.blocked:
            logger.warning("%s is old enough to be dropped and stays: %s.", name, reason)
    return done


@shared_task(name="metering.tasks.forget_event_keys")
def forget_event_keys(**_: object) -> int:
    """Forget keys of events that are too old to be sent again; return how many."""
    ends_at = time.monotonic() + SWEEP_S_MAX
    forgotten = 0
    while time.monotonic() < ends_at and (some := forget_keys(now=timezone.now())) is not None:
        forgotten += some
    return forgotten
