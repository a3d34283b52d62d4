"""Buying prepaid credit on Stripe's page: kept before Stripe knows of it, granted once it is paid, whoever looks first.

A top-up is looked at by a webhook and by a sweep; each look does the same. What is paid is granted and booked in one
transaction: the grant as bought credit, and the money as held by Stripe rather than by the bank.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction

from billing.api_words import money
from billing.credits import grant_credit
from billing.ledger import Entry, post
from billing.models import AccountKind, Contract, Term, TopUp, TopUpState
from billing.money import minor_digits
from billing.rating.credit import Grant
from billing.rating.rated import TermKind
from billing.stripe_amounts import AmountNotRepresentable, from_minor_units, minimum_charge_minor, minor_units
from billing.stripe_customers import ensure_customer
from billing.stripe_intents import Result, carry_out
from billing.telling import tell_subject
from tenants.ids import new_id
from tenants.instants import instant_text
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from billing.stripe_gateway import StripeGateway
    from billing.stripe_seen import StripeSession

LOOK_EVERY: Final = timedelta(minutes=5)
FORGOTTEN_AFTER: Final = timedelta(days=3)
AMOUNT_MAX: Final = 1_000_000
STEP: Final = "top_up"
CAUSE: Final = "top_up"


class WrongTopUp(Problem):
    """The amount cannot be bought, or the contract holds no prepaid credit."""

    status = 422
    code = "wrong_top_up"
    title = "This credit cannot be bought"


@transaction.atomic
def start_top_up(
    *,
    contract: Contract,
    amount: Decimal,
    term_ref: str = "",
    by: str,
    now: datetime,
    top_up_id: UUID | None = None,
) -> TopUp:
    """Keep that a tenant wants to buy credit; `open_top_up` then gets the page. Raises `WrongTopUp`.

    What a form sent twice asks for under one id is one top-up; with another amount or term it is another.
    """
    terms = Term.objects.filter(contract=contract, kind=TermKind.CREDIT).order_by("ref")
    term = (terms.filter(ref=term_ref) if term_ref else terms).first()
    if term is None:
        raise WrongTopUp(
            sentence("%(number)s has no such term of prepaid credit.", number=contract.number), field="term"
        )
    check_amount(amount, contract.currency)
    taken = None
    if top_up_id is not None:
        Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
        taken = TopUp.objects.filter(pk=top_up_id).first()
        if taken is not None and (taken.term_id, taken.amount) == (term.pk, amount):
            return taken
    made = TopUp.objects.create(
        id=top_up_id if top_up_id is not None and taken is None else new_id(),
        term=term,
        amount=amount,
        currency=contract.currency,
        started_by=by,
        created_at=now,
        next_look_at=now + LOOK_EVERY,
    )
    _audit(contract.tenant, by, "top_up.started", made, now)
    return made


def open_top_up(*, top_up_id: UUID, return_url: str, gateway: StripeGateway, now: datetime) -> str:
    """Return the address of Stripe's page for a top-up. No transaction may be open; raises what the gateway raises."""
    top_up = TopUp.objects.select_related("term__contract__tenant").get(pk=top_up_id)
    if top_up.url or top_up.state != TopUpState.OPEN:
        return top_up.url
    contract = top_up.term.contract
    customer_id = ensure_customer(organization=contract.tenant, gateway=gateway, now=now)

    def look_up() -> Result | None:
        found = gateway.find_session(customer_id, str(top_up.pk))
        return {"id": found.id, "url": found.url or ""} if found else None

    def call(key: str) -> Result:
        made = gateway.create_payment_session(
            customer_id=customer_id,
            amount_minor=minor_units(top_up.amount, top_up.currency),
            currency=top_up.currency,
            description=f"Prepaid credit, contract {contract.number}",
            success_url=return_url,
            cancel_url=return_url,
            reference=str(top_up.pk),
            idempotency_key=key,
        )
        return {"id": made.id, "url": made.url or ""}

    made = carry_out(
        key_of=lambda generation: f"topup:{top_up.pk}:{generation}",
        step=STEP,
        subject_id=top_up.pk,
        look_up=look_up,
        call=call,
        now=now,
    )
    TopUp.objects.filter(pk=top_up.pk, state=TopUpState.OPEN).update(session_id=made["id"], url=made["url"])
    return made["url"]


def look_at_top_up(*, top_up_id: UUID, gateway: StripeGateway, now: datetime) -> bool:
    """See what became of a top-up, and grant what was paid; whether it is over. No transaction may be open."""
    top_up = TopUp.objects.get(pk=top_up_id)
    if top_up.state != TopUpState.OPEN:
        return True
    TopUp.objects.filter(pk=top_up.pk, state=TopUpState.OPEN).update(next_look_at=now + LOOK_EVERY)
    if not top_up.session_id:
        return now - top_up.created_at > FORGOTTEN_AFTER and _end(top_up, TopUpState.EXPIRED, now)
    seen = gateway.get_session(top_up.session_id)
    if seen.is_paid:
        return take(
            top_up_id=top_up.pk,
            amount_minor=seen.amount_minor,
            currency=seen.currency,
            payment_intent_id=seen.payment_intent_id or "",
            now=now,
        )
    return seen.status == "expired" and _end(top_up, TopUpState.EXPIRED, now)


def look_at_session(*, session: StripeSession, gateway: StripeGateway, now: datetime) -> bool:
    """Look at the top-up that a session at Stripe belongs to; whether there is one."""
    top_up = TopUp.objects.filter(session_id=session.id).first()
    if top_up is None:
        return False
    look_at_top_up(top_up_id=top_up.pk, gateway=gateway, now=now)
    return True


def open_top_ups(*, now: datetime, limit: int) -> Sequence[UUID]:
    """Return the top-ups on Stripe's page to look at, the longest waiting first."""
    due = TopUp.objects.filter(state=TopUpState.OPEN, rule=None, next_look_at__lte=now).order_by("next_look_at", "pk")
    return list(due.values_list("pk", flat=True)[:limit])


def check_amount(amount: Decimal, currency: str) -> None:
    """Check that an amount can be charged in a currency. Raises `WrongTopUp`."""
    if not amount.is_finite() or not 0 < amount <= AMOUNT_MAX:
        raise WrongTopUp(
            sentence("amount: expected more than 0 and at most %(most)s.", most=AMOUNT_MAX), field="amount"
        )
    try:
        units = minor_units(amount, currency)
    except (AmountNotRepresentable, ValueError) as wrong:
        raise WrongTopUp(
            sentence("amount: expected at most %(minor_digits)s decimals.", minor_digits=minor_digits(currency)),
            field="amount",
        ) from wrong
    smallest = minimum_charge_minor(currency) or 1
    if units < smallest:
        raise WrongTopUp(
            sentence(
                "amount: at least %(smallest)s %(currency)s can be charged.",
                smallest=from_minor_units(smallest, currency),
                currency=currency,
            ),
            field="amount",
        )


@transaction.atomic
def take(
    *, top_up_id: UUID, amount_minor: int, currency: str, payment_intent_id: str, now: datetime, charge_id: str = ""
) -> bool:
    """Grant and book what was paid, once; another amount than was asked for is left to a person."""
    contracts = Contract.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    contract = contracts.get(terms__top_ups=top_up_id)
    held = TopUp.objects.select_for_update(of=("self",)).select_related("term").get(pk=top_up_id)
    if held.state != TopUpState.OPEN:
        return True
    if (amount_minor, currency.upper()) != (minor_units(held.amount, held.currency), held.currency):
        return _end(held, TopUpState.DIFFERS, now)
    grant = Grant(name=held.grant_name, amount=held.amount, from_at=now, bought=True)
    grant_credit(term=held.term, grant=grant, recorded_by=held.started_by, now=now)
    post(
        key=f"topup:{held.pk}",
        cause=CAUSE,
        cause_id=held.pk,
        memo=f"Top-up of {held.term.ref} paid through Stripe",
        at=now,
        entries=(
            Entry(contract.provider_id, AccountKind.STRIPE_CLEARING, held.currency, held.amount),
            Entry(contract.provider_id, AccountKind.BANK_CLEARING, held.currency, -held.amount),
        ),
    )
    TopUp.objects.filter(pk=held.pk).update(payment_intent_id=payment_intent_id, charge_id=charge_id)
    _audit(contract.tenant, held.started_by, "top_up.paid", held, now)
    tell_subject(
        (contract.provider_id, contract.tenant_id),
        "credit.bought",
        subject_id=held.pk,
        at=now,
        contract_id=str(contract.pk),
        contract=contract.number,
        grant=held.grant_name,
        currency=held.currency,
        amount=money(held.amount, held.currency),
        received_at=instant_text(now),
    )
    return _end(held, TopUpState.PAID, now)


def _end(top_up: TopUp, state: TopUpState, now: datetime) -> bool:
    TopUp.objects.filter(pk=top_up.pk, state=TopUpState.OPEN).update(state=state, url="", finished_at=now)
    return True


def _audit(tenant: Organization, by: str, action: str, top_up: TopUp, now: datetime) -> None:
    AuditEntry.objects.create(
        organization=tenant,
        actor=by,
        action=action,
        subject=f"top-up {top_up.pk}",
        after={"amount": str(top_up.amount), "currency": top_up.currency, "term": top_up.term.ref},
        at=now,
    )
