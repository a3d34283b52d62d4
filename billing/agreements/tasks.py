"""The sweep of letters about offers: one that cannot be sent is logged, stops no other, and is tried again."""

from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing.agreements import letters
from billing.unsent import send_each

LETTERS_MAX = 50


@shared_task(name="billing.agreements.tasks.send_letters")
def send_letters(**_: object) -> None:
    """Send the letters about offers; without a server of letters they wait, and the portal tells the same."""
    if not settings.MAIL_READY:
        return
    claimed = letters.claim_letters(now=datetime.now(UTC), limit=LETTERS_MAX)
    send_each(
        claimed,
        lambda notice: letters.send_letter(notice=notice, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )
