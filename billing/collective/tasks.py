"""The sweep of collective invoices: a group that fails is logged, stops no other, and is met again by the next one."""

import logging
from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings

from billing.collective import gathering

logger = logging.getLogger(__name__)


@shared_task(name="billing.collective.tasks.gather_invoices")
def gather_invoices(**_: object) -> None:
    """Ask for invoices together that wait for each other."""
    now = datetime.now(UTC)
    for group in gathering.due_groups(now=now):
        try:
            gathering.gather(group=group, now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY))
        except Exception:
            logger.exception("collective invoice of %s to %s", group.issuer_id, group.tenant_id)
