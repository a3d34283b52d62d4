"""The sweep of budgets: who is due is looked at; a look that fails is logged, and comes again with a later sweep."""

import logging
import time
from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing.budgets import letters
from billing.budgets.watching import begin_watches, claim_watches, look
from billing.unsent import send_each

logger = logging.getLogger(__name__)

WATCHES_MAX = 500
SWEEP_S_MAX = 60
LETTERS_MAX = 50


@shared_task(name="billing.budgets.tasks.look_at_spending")
def look_at_spending(**_: object) -> None:
    """Look at the budgets of whoever is due, and tell what is new, until the time of a sweep is over."""
    stop_at = time.monotonic() + SWEEP_S_MAX
    begin_watches(now=datetime.now(UTC), limit=WATCHES_MAX)
    for _place in range(WATCHES_MAX):
        claimed = claim_watches(now=datetime.now(UTC), limit=1)
        if not claimed or time.monotonic() > stop_at:
            return
        [watch] = claimed
        try:
            look(watch=watch, now=datetime.now(UTC))
        except Exception:
            logger.exception("budgets of %s as %s", watch.organization_id, watch.side)


@shared_task(name="billing.budgets.tasks.send_letters")
def send_letters(**_: object) -> None:
    """Send the letters about alerts; without a server of letters they wait, and the portal tells the same."""
    if not settings.MAIL_READY:
        return
    claimed = letters.claim_letters(now=datetime.now(UTC), limit=LETTERS_MAX)
    send_each(claimed, lambda mail: letters.send_letter(mail=mail, public_url=settings.PUBLIC_URL), clock=timezone.now)
