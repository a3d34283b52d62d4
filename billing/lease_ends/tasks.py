"""Sweeps of ends of leases: note which are near, send the letters. One that cannot be sent stops no other."""

from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing.lease_ends import letters, noting
from billing.unsent import send_each

LETTERS_MAX = 50


@shared_task(name="billing.lease_ends.tasks.note_ending")
def note_ending(**_: object) -> None:
    """Note which leases end soon, so that their parties are told."""
    noting.note_ending(now=datetime.now(UTC))


@shared_task(name="billing.lease_ends.tasks.send_letters")
def send_letters(**_: object) -> None:
    """Send the letters about ends of leases; without a server of letters they wait, and the portal tells the same."""
    if not settings.MAIL_READY:
        return
    claimed = letters.claim_letters(now=datetime.now(UTC), limit=LETTERS_MAX)
    send_each(
        claimed,
        lambda notice: letters.send_letter(notice=notice, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )
