"""Sweeps of billing: each looks for rows that wait, does one use case per row, and loses nothing if it is lost.

A row that fails is logged and does not stop the others; the next sweep meets it again.
"""

import logging
from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings

from billing import charging, closing

logger = logging.getLogger(__name__)


@shared_task(name="billing.tasks.charge_usage", queue="forecourt")
def charge_usage(**_: object) -> None:
    """Store billing periods that have begun, and book every full hour that is not charged yet."""
    now = datetime.now(UTC)
    for contract in charging.without_period(now=now):
        try:
            charging.ensure_periods(contract=contract, now=now)
        except Exception:
            logger.exception("periods of contract %s", contract.number)
    for period_id, up_to in charging.due_for_charging(now=now):
        try:
            charging.charge_period(period_id=period_id, up_to=up_to, now=now)
        except Exception:
            logger.exception("charging period %s", period_id)


@shared_task(name="billing.tasks.close_periods", queue="forecourt")
def close_periods(**_: object) -> None:
    """Close every billing period that is over and complete, or over its grace."""
    now = datetime.now(UTC)
    for period_id in closing.due_periods(now=now):
        try:
            closing.close_period(period_id=period_id, now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY))
        except Exception:
            logger.exception("closing period %s", period_id)
