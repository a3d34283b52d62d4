"""Sweeps of low credit: watch, charge, write letters. One that fails is logged and stops no other."""

import logging
from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing import stripe_account
from billing.refilling import charging, letters, watching
from billing.stripe_answers import StripeUnavailable
from billing.unsent import send_each

logger = logging.getLogger(__name__)

RULES_MAX = 200
CHARGES_MAX = 50
LETTERS_MAX = 50


@shared_task(name="billing.refilling.tasks.watch_balances")
def watch_balances(**_: object) -> None:
    """Look at the credit of every contract that has a rule, and tell what is new."""
    for rule_id in watching.claim_rules(now=datetime.now(UTC), limit=RULES_MAX):
        try:
            watching.look(rule_id=rule_id, now=datetime.now(UTC))
        except Exception:
            logger.exception("rule about low credit %s", rule_id)


@shared_task(name="billing.refilling.tasks.charge_top_ups")
def charge_top_ups(**_: object) -> None:
    """Charge what rules buy, of which its tenant was told; without Stripe nothing is charged, and it waits."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    for top_up_id in charging.due_charges(now=datetime.now(UTC), limit=CHARGES_MAX):
        try:
            charging.charge(top_up_id=top_up_id, gateway=gateway, now=datetime.now(UTC))
        except StripeUnavailable as error:
            logger.warning("Top-up %s: Stripe is unavailable (%s)", top_up_id, error)
            return
        except Exception:
            logger.exception("top-up %s", top_up_id)


@shared_task(name="billing.refilling.tasks.send_letters")
def send_letters(**_: object) -> None:
    """Send the letters about low credit; without a server of letters they wait, and the portal tells the same."""
    if not settings.MAIL_READY:
        return
    claimed = letters.claim_letters(now=datetime.now(UTC), limit=LETTERS_MAX)
    send_each(
        claimed,
        lambda notice: letters.send_letter(notice=notice, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )
