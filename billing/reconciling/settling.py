"""The ways out of a difference: look again and book, push again, close at Stripe, take back, or accept for a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from billing.models import Difference, Payment, Settlement, SettlementState
from billing.payment_reversals import left_of, reverse_payment
from billing.reconciling.booking import NothingToBook, book_refund, book_transfer
from billing.settlement import ACTIVE, retry_settlement
from billing.stripe_answers import StripeRefused
from billing.stripe_results import Applied, apply_stripe_invoice, holds_money
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway

ACCEPT: Final = "accept"
BOOK: Final = "book"
PUSH: Final = "push"
CLOSE: Final = "close"
TAKE_BACK: Final = "take_back"
NOTE_CHARACTERS_MAX = 500

WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "invoice_paid": (BOOK, ACCEPT),
    "invoice_open": (CLOSE, ACCEPT),
    "invoice_gone": (PUSH, ACCEPT),
    "invoice_unknown": (CLOSE, ACCEPT),
    "invoice_amount": (ACCEPT,),
    "charge_unbooked": (BOOK, ACCEPT),
    "charge_amount": (BOOK, ACCEPT),
    "payment_gone": (TAKE_BACK, ACCEPT),
    "refund_unbooked": (BOOK, ACCEPT),
    "transfer_unbooked": (BOOK, ACCEPT),
    "customer_balance": (ACCEPT,),
    "balance": (ACCEPT,),
}
"""What can be done about each kind, the best first."""


class NoSuchWay(Problem):
    """A difference of this kind has no such way out, or a reason is missing."""

    status = 422
    code = "no_such_way"
    title = "The difference cannot be settled that way"


class AlreadySettled(Problem):
    """Someone or a later look settled it."""

    status = 409
    code = "difference_settled"
    title = "The difference was settled before"


def settle_difference(
    *, difference_id: UUID, way: str, note: str, by: str, gateway: StripeGateway | None, now: datetime
) -> Difference:
    """Take a way out of an open difference; the next look opens it again if it is still there.

    Accepting needs a reason and stays until something about the difference changes. No transaction may be open.
    Raises Difference.DoesNotExist, `AlreadySettled`, `NoSuchWay`, and what the gateway raises.
    """
    assert not connection.in_atomic_block, "no lock is held over the network"
    difference = Difference.objects.select_related("invoice").get(pk=difference_id)
    if difference.settled_at is not None:
        raise AlreadySettled(
            sentence(
                "It was settled at %(settled_at)s by %(settled_by)s.",
                settled_at=difference.settled_at.isoformat(),
                settled_by=difference.settled_by,
            )
        )
    note = note.strip()
    if way not in WAYS[difference.kind]:
        raise NoSuchWay(
            sentence("Expected one of %(ways)s, found %(way)s.", ways=Listed(WAYS[difference.kind]), way=repr(way)),
            field="way",
        )
    if way == ACCEPT and not 0 < len(note) <= NOTE_CHARACTERS_MAX:
        raise NoSuchWay(
            sentence("note: expected 1 to %(most)s characters that say why.", most=NOTE_CHARACTERS_MAX), field="note"
        )
    if way != ACCEPT:
        _take(difference, way, by=by, gateway=gateway, now=now)
    return _settled(difference, way=way, note=note, by=by, now=now)


def _take(difference: Difference, way: str, *, by: str, gateway: StripeGateway | None, now: datetime) -> None:
    if way == TAKE_BACK:
        _take_back(difference, by=by, now=now)
        return
    if gateway is None:
        raise NoSuchWay(sentence("This installation has no account at Stripe."), field="way")
    if way == BOOK:
        _book(difference, gateway, by=by, now=now)
    elif way == PUSH:
        _push(difference, by=by, now=now)
    else:
        _close(difference, gateway, now)


def _book(difference: Difference, gateway: StripeGateway, *, by: str, now: datetime) -> None:
    """Look at what it is at Stripe and record that; a charge is found by its invoice in our books."""
    if difference.kind == "refund_unbooked":
        book_refund(seen=gateway.get_refund(difference.stripe_id), by=by, now=now)
        return
    if difference.kind == "transfer_unbooked":
        book_transfer(seen=gateway.get_transfer(difference.stripe_id), by=by, now=now)
        return
    invoice_id = difference.invoice_id
    settlement = Settlement.objects.filter(pk=invoice_id).first() if invoice_id else None
    if settlement is None or not settlement.stripe_invoice_id:
        settlement = _by_charge(difference, gateway)
    if settlement is None:
        raise NoSuchWay(
            sentence("No invoice of ours at Stripe shows this payment; book it by hand, then accept."), field="way"
        )
    seen = gateway.get_invoice(settlement.stripe_invoice_id)
    applied = apply_stripe_invoice(invoice_id=settlement.invoice_id, seen=seen, now=now)
    if applied is Applied.FLAGGED and seen.status == "paid" and not any(holds_money(one) for one in seen.payments):
        raise NothingToBook(
            sentence(
                "Somebody marked %(number)s as paid at Stripe by other means; no money of it is there. Record the "
                "transfer that paid it, or accept the difference with a reason.",
                number=seen.number,
            )
        )


def _by_charge(difference: Difference, gateway: StripeGateway) -> Settlement | None:
    waiting = Settlement.objects.exclude(stripe_invoice_id="").exclude(state=SettlementState.PAID)
    for settlement in waiting.order_by("pk")[:200]:
        seen = gateway.get_invoice(settlement.stripe_invoice_id)
        if any(difference.stripe_id in one.charge_ids for one in seen.payments):
            return settlement
    return None


def _push(difference: Difference, *, by: str, now: datetime) -> None:
    """Forget the invoice that is gone at Stripe and push anew."""
    with transaction.atomic():
        settlement = Settlement.objects.select_for_update().get(pk=difference.invoice_id)
        settlement.stripe_invoice_id, settlement.hosted_url = "", ""
        settlement.revision += 1
        settlement.state, settlement.last_error = SettlementState.FAILED, "gone at Stripe"
        settlement.save(update_fields=["stripe_invoice_id", "hosted_url", "revision", "state", "last_error"])
        retry_settlement(invoice_id=settlement.pk, actor=by, now=now)


def _close(difference: Difference, gateway: StripeGateway, now: datetime) -> None:
    """Close at Stripe what is settled or unknown here, so that nobody pays it there."""
    if difference.invoice_id is not None:
        # The steps close what our books have settled; they need a state in which they look.
        Settlement.objects.filter(pk=difference.invoice_id).exclude(state__in=ACTIVE).update(
            state=SettlementState.WAIT, next_try_at=now, updated_at=now
        )
        Settlement.objects.filter(pk=difference.invoice_id).update(next_try_at=now)
        return
    seen = gateway.get_invoice(difference.stripe_id)
    if seen.status == "draft":
        gateway.delete_draft(seen.id)
    elif seen.status in ("open", "uncollectible"):
        gateway.void(seen.id, f"difference:{difference.pk}:void")
    else:
        raise StripeRefused("not_open", f"Invoice {seen.id} is {seen.status} at Stripe: give the money back there.")


def _take_back(difference: Difference, *, by: str, now: datetime) -> None:
    payment = Payment.objects.filter(reference=difference.stripe_id).first()
    if payment is None:
        raise NoSuchWay(sentence("The payment is not found by its reference any more."), field="way")
    if left_of(payment) > 0:
        reverse_payment(
            payment_id=payment.pk,
            reference=f"difference:{difference.pk}",
            reason="no such charge at Stripe",
            by=by,
            now=now,
        )


@transaction.atomic
def _settled(difference: Difference, *, way: str, note: str, by: str, now: datetime) -> Difference:
    open_ones = Difference.objects.filter(pk=difference.pk, settled_at__isnull=True)
    if not open_ones.update(settled_at=now, settled_by=by, way=way, note=note):
        raise AlreadySettled(sentence("Someone else settled it just now."))
    operator = Organization.objects.filter(is_operator=True).first()
    if operator is not None:
        AuditEntry.objects.create(
            organization=operator,
            actor=by,
            action="difference.settled",
            subject=f"{difference.kind} {difference.stripe_id}",
            before={"ours": difference.ours, "theirs": difference.theirs},
            after={"way": way, "note": note},
            at=now,
        )
    difference.refresh_from_db()
    return difference
