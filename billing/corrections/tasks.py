"""Sweeps of corrections; each row that fails is logged, stops no other, and is met again by the next sweep."""

import logging
from datetime import UTC, datetime

from celery import shared_task

from billing import stripe_account
from billing.corrections import applying, sending

logger = logging.getLogger(__name__)

BALANCES_MAX = 500
REFUNDS_MAX = 100


@shared_task(name="billing.corrections.tasks.apply_balances")
def apply_balances(**_: object) -> None:
    """Let tenants' balances pay their invoices, as far as they go."""
    now = datetime.now(UTC)
    for account_id in applying.due_balances(limit=BALANCES_MAX):
        try:
            applying.apply_balance(account_id=account_id, now=now)
        except Exception:
            logger.exception("applying balance %s", account_id)


@shared_task(name="billing.corrections.tasks.send_refunds")
def send_refunds(**_: object) -> None:
    """Send the refunds to cards that are due, and look how those on their way are doing."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    for refund_id in sending.due_refunds(now=datetime.now(UTC), limit=REFUNDS_MAX):
        try:
            sending.send_refund(refund_id=refund_id, gateway=gateway, now=datetime.now(UTC))
        except Exception:
            logger.exception("refund %s; tried again when its lease ends", refund_id)
