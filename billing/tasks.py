"""Sweeps of billing: each looks for rows that wait, does one use case per row, and loses nothing if it is lost.

A row that fails is logged and does not stop the others; the next sweep meets it again.
"""

import logging
import time
from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing import (
    asking,
    audit_claims,
    charging,
    checkpoints,
    closing,
    inversions,
    leasing,
    margins,
    price_mails,
    price_notices,
    pushing,
    settlement,
    stripe_account,
    stripe_events,
    telling,
    unpriced,
)
from billing.adjusting import last_bills
from billing.adjusting.late_usage import CLOCKS_WITHIN
from billing.agreements import drafting
from billing.banking import deciding
from billing.collecting import cards, letters, notices
from billing.documents import making
from billing.dunning import letters as dunning_letters
from billing.dunning import stepping
from billing.reconciling import looking
from billing.statements import onboarding, paying_out, stating, transfers
from billing.stripe_answers import StripeError, StripeUnavailable
from billing.tax import service
from billing.topups import buying
from billing.unsent import send_each
from metering.retention import state_hold
from tenants import idempotency

logger = logging.getLogger(__name__)

SETTLEMENTS_MAX = 100
LEASES_MAX = 500
EVENTS_MAX = 100
DOCUMENTS_MAX = 500
BALANCES_MAX = 500
TAX_QUESTIONS_MAX = 100
REFUNDS_MAX = 100
VISITS_MAX = 50
RECONCILES_FROM_HOUR = 2
"""UTC; a night's look is begun at the first sweep after it."""
UNAVAILABLE_MAX = 3
SWEEP_S_MAX = 60
MAILS_MAX = 50
BANK_LINES_MAX = 500
DUNNING_MAX = 200
"""A letter that ten tries over a day and a half could not send stays here with its error."""


@shared_task(name="billing.tasks.charge_usage")
def charge_usage(**_: object) -> None:
    """Store billing periods that have begun, and book every full hour that is not charged yet; alarm where it
    has no price."""
    now = datetime.now(UTC)
    for contract in charging.without_period(now=now):
        try:
            charging.ensure_periods(contract=contract, now=now)
        except Exception:
            logger.exception("periods of contract %s", contract.number)
    if charging.charge_due(now=now):
        unpriced.alarm_unpriced(now=now)


@shared_task(name="billing.tasks.expire_offers")
def expire_offers(**_: object) -> None:
    """Close the offers that nobody accepted in their time; settle what audits found and nobody disputed in its."""
    drafting.expire_offers(now=datetime.now(UTC))
    audit_claims.settle_unanswered(now=datetime.now(UTC))


@shared_task(name="billing.tasks.forget_calls")
def forget_calls(**_: object) -> None:
    """Forget idempotency keys that nobody tries again."""
    idempotency.forget_calls(now=datetime.now(UTC))


@shared_task(name="billing.tasks.state_needs")
def state_needs(**_: object) -> None:
    """Say from when on metered facts must stay in the database."""
    now = datetime.now(UTC)
    state_hold(name="billing", needed_from_at=charging.needed_from(now=now), now=now)


@shared_task(name="billing.tasks.sum_books")
def sum_books(**_: object) -> None:
    """Sum what was booked since the last checkpoint, so that no balance need sum all of the past."""
    checkpoints.take_checkpoint(now=datetime.now(UTC))


@shared_task(name="billing.tasks.tell_overdue")
def tell_overdue(**_: object) -> None:
    """Tell programs outside of invoices that are overdue by now."""
    telling.tell_overdue(now=datetime.now(UTC))


@shared_task(name="billing.tasks.tell_ending_leases")
def tell_ending_leases(**_: object) -> None:
    """Tell programs outside of leases that end soon."""
    telling.tell_ending_leases(now=datetime.now(UTC))


@shared_task(name="billing.tasks.sum_margins")
def sum_margins(**_: object) -> None:
    """Work out what each use of the clusters cost and earned, on the days that are due; alarm what sells below cost."""
    now = datetime.now(UTC)
    stop_at = time.monotonic() + SWEEP_S_MAX
    for due in margins.due_days(now=now):
        if time.monotonic() > stop_at:
            break
        try:
            margins.sum_day(provider_id=due.provider_id, day=due.day, now=datetime.now(UTC))
        except Exception:
            logger.exception("margin of %s on %s", due.provider_id, due.day)
    inversions.alarm_inversions(now=now)


@shared_task(name="billing.tasks.record_lease_steps")
def record_lease_steps(**_: object) -> None:
    """Record of every lease what time has brought: started, renewed, ended."""
    now = datetime.now(UTC)
    for term_id in leasing.due_steps(now=now, limit=LEASES_MAX):
        try:
            leasing.record_steps(term_id=term_id, now=now)
        except Exception:
            logger.exception("steps of lease %s", term_id)


@shared_task(name="billing.tasks.close_periods")
def close_periods(**_: object) -> None:
    """Close every billing period that is over and complete, or over its grace."""
    closing.close_due(now=datetime.now(UTC), stripe_ready=bool(settings.STRIPE_SECRET_KEY))


@shared_task(name="billing.tasks.make_statements")
def make_statements(**_: object) -> None:
    """Make the statements of the months that are closed, or have waited long enough."""
    now = datetime.now(UTC)
    for due in stating.due_statements(now=now):
        try:
            stating.make_statement(provider_id=due.provider_id, currency=due.currency, month=due.month, now=now)
        except Exception:
            logger.exception("statement of %s for %s in %s", due.provider_id, due.month, due.currency)


@shared_task(name="billing.tasks.make_documents")
def make_documents(**_: object) -> None:
    """Make the papers of what was issued, until the time of a sweep is over."""
    stop_at = time.monotonic() + SWEEP_S_MAX
    for subject_id in making.due_documents(now=datetime.now(UTC), limit=DOCUMENTS_MAX):
        if time.monotonic() > stop_at:
            return
        try:
            making.make_documents(subject_id=subject_id, public_url=settings.PUBLIC_URL, now=datetime.now(UTC))
        except Exception:
            logger.exception("documents of %s", subject_id)


@shared_task(name="billing.tasks.bill_late_usage")
def bill_late_usage(**_: object) -> None:
    """Put usage that came after its period closed on the draft of the open one, or on a last bill."""
    last_bills.bill_all_late(now=datetime.now(UTC))


@shared_task(name="billing.tasks.look_for_late_usage")
def look_for_late_usage(**_: object) -> None:
    """Do the same for what a server stored whose clock is behind that of the one that closed the period."""
    last_bills.bill_all_late(now=datetime.now(UTC), stored_within=CLOCKS_WITHIN)


@shared_task(name="billing.tasks.make_payouts")
def make_payouts(**_: object) -> None:
    """Make the payouts that are due by the schedules of providers; what cannot go out now is looked at again."""
    now = datetime.now(UTC)
    for due in paying_out.due_payouts(now=now):
        try:
            paying_out.make_payout(
                provider_id=due.provider_id, currency=due.currency, by="payouts", now=now, scheduled=True
            )
        except paying_out.NoPayout as reason:
            logger.info("no payout of %s in %s: %s", due.provider_id, due.currency, reason)
        except Exception:
            logger.exception("payout of %s in %s", due.provider_id, due.currency)


@shared_task(name="billing.tasks.send_transfers")
def send_transfers(**_: object) -> None:
    """Send the payouts that go by transfer, and look how the accounts of providers stand; without Stripe there are
    none."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    for payout_id in transfers.due_transfers(now=datetime.now(UTC), limit=SETTLEMENTS_MAX):
        try:
            transfers.send_transfer(payout_id=payout_id, gateway=gateway, now=datetime.now(UTC))
        except Exception:
            logger.exception("transfer of payout %s; tried again when its lease ends", payout_id)
    for provider_id in onboarding.payees_to_look_at(now=datetime.now(UTC), limit=SETTLEMENTS_MAX):
        try:
            onboarding.look_at_payee(provider_id=provider_id, gateway=gateway, now=datetime.now(UTC))
        except StripeError as error:
            logger.warning("account of provider %s: %s", provider_id, error)


@shared_task(name="billing.tasks.settle_invoices")
def settle_invoices(**_: object) -> None:
    """Take the steps of collecting that are due, each invoice as far as it goes; without Stripe there are none."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    stop_at = time.monotonic() + SWEEP_S_MAX
    asking.wake_small(now=datetime.now(UTC))
    settlement.wake_refused(now=datetime.now(UTC))
    for invoice_id in settlement.due_settlements(now=datetime.now(UTC), limit=SETTLEMENTS_MAX):
        if time.monotonic() > stop_at:
            return
        try:
            pushing.take_steps(invoice_id=invoice_id, gateway=gateway, clock=lambda: datetime.now(UTC))
        except Exception:
            logger.exception("collecting invoice %s; tried again when its lease ends", invoice_id)


@shared_task(name="billing.tasks.ask_taxes")
def ask_taxes(**_: object) -> None:
    """Ask Stripe Tax about the bills that wait for it; without Stripe they go on waiting."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    now = datetime.now(UTC)
    for question_id in service.open_questions(now=now, limit=TAX_QUESTIONS_MAX):
        try:
            service.ask(question_id=question_id, gateway=gateway, now=now)
        except Exception:
            logger.exception("asking for the tax of question %s; tried again when its lease ends", question_id)


@shared_task(name="billing.tasks.apply_stripe_events")
def apply_stripe_events(**_: object) -> None:
    """Work off Stripe's events; while Stripe cannot be reached, the rest waits for the next sweep."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    unavailable = 0
    for event_id in stripe_events.unprocessed_events(limit=EVENTS_MAX):
        try:
            stripe_events.apply_event(event_id=event_id, gateway=gateway, now=datetime.now(UTC))
        except StripeUnavailable as error:
            stripe_events.note_failure(event_id=event_id, reason=f"Stripe is unavailable: {error}")
            unavailable += 1
            if unavailable == UNAVAILABLE_MAX:
                return
        except Exception as error:
            logger.exception("applying Stripe event %s", event_id)
            stripe_events.note_failure(event_id=event_id, reason=f"failed: {error}")


@shared_task(name="billing.tasks.match_bank_lines")
def match_bank_lines(**_: object) -> None:
    """Look at bank movements that came in: match what their words name for sure, and say what waits for a person."""
    deciding.match_new(now=datetime.now(UTC), limit=BANK_LINES_MAX)


@shared_task(name="billing.tasks.dun_invoices")
def dun_invoices(**_: object) -> None:
    """Follow overdue invoices: take the steps that are due, lift what is paid, and send the letters.

    Without a server of letters they wait, and nobody is suspended without one.
    """
    now = datetime.now(UTC)
    stepping.begin_cases(now=now, limit=DUNNING_MAX)
    for invoice_id in stepping.due_cases(now=now, limit=DUNNING_MAX):
        try:
            stepping.take_step(invoice_id=invoice_id, now=now)
        except Exception:
            logger.exception("dunning of invoice %s", invoice_id)
    stepping.lift_paid(now=now)
    if not settings.MAIL_READY:
        return
    claimed = dunning_letters.claim_mails(now=now, limit=MAILS_MAX)
    send_each(
        claimed,
        lambda mail: dunning_letters.send_letter(mail=mail, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )


@shared_task(name="billing.tasks.tell_price_changes")
def tell_price_changes(**_: object) -> None:
    """Tell tenants of price versions that they were not told of, and send the letters that are due.

    Without a server of letters they wait; the portal tells the same.
    """
    now = datetime.now(UTC)
    for version in price_notices.untold_versions(now=now):
        try:
            price_notices.write_notices(version=version, now=now)
        except Exception:
            logger.exception("telling of price version %s", version.pk)
    if not settings.MAIL_READY:
        return
    send_each(
        price_notices.claim_mails(now=now, limit=MAILS_MAX),
        lambda mail: price_mails.send_price_mail(mail=mail, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )


@shared_task(name="billing.tasks.look_at_card_visits")
def look_at_card_visits(**_: object) -> None:
    """See what became of visits to Stripe's page, in case nobody came back and no webhook came."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    for visit_id in cards.open_visits(now=datetime.now(UTC), limit=VISITS_MAX):
        try:
            cards.look_at_visit(visit_id=visit_id, gateway=gateway, now=datetime.now(UTC))
        except StripeUnavailable as error:
            logger.warning("Card visit %s: Stripe is unavailable (%s)", visit_id, error)
            return
        except Exception:
            logger.exception("card visit %s", visit_id)


@shared_task(name="billing.tasks.look_at_top_ups")
def look_at_top_ups(**_: object) -> None:
    """See which top-ups were paid on Stripe's page, in case no webhook came."""
    gateway = stripe_account.gateway()
    if gateway is None:
        return
    for top_up_id in buying.open_top_ups(now=datetime.now(UTC), limit=VISITS_MAX):
        try:
            buying.look_at_top_up(top_up_id=top_up_id, gateway=gateway, now=datetime.now(UTC))
        except StripeUnavailable as error:
            logger.warning("Top-up %s: Stripe is unavailable (%s)", top_up_id, error)
            return
        except Exception:
            logger.exception("top-up %s", top_up_id)


@shared_task(name="billing.tasks.tell_collections")
def tell_collections(**_: object) -> None:
    """Send the letters about invoices that could not be charged; without a server of letters they wait."""
    if not settings.MAIL_READY:
        return
    send_each(
        notices.claim_letters(now=datetime.now(UTC), limit=MAILS_MAX),
        lambda notice: letters.send_letter(notice=notice, public_url=settings.PUBLIC_URL),
        clock=timezone.now,
    )


@shared_task(name="billing.tasks.reconcile_stripe")
def reconcile_stripe(**_: object) -> None:
    """Compare our books with Stripe's once a night; a look that was killed or found Stripe away is begun anew."""
    gateway = stripe_account.gateway()
    now = datetime.now(UTC)
    if gateway is None or now.hour < RECONCILES_FROM_HOUR:
        return
    run = looking.begin(by="reconciliation", now=now, day=now.date())
    if run is None:
        return
    try:
        looking.look(run=run, gateway=gateway, now=now)
    except StripeError:
        logger.exception("reconciliation of %s", run.day)
