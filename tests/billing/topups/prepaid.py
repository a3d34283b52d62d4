"""A contract with a term of prepaid credit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.agreeing import add_adjustment
from billing.books import check_books
from billing.rating.credit import CreditWording
from billing.stripe_amounts import minor_units
from billing.topups.buying import start_top_up, take
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Contract, Term, TopUp

BACK = "http://127.0.0.1:9/t/contracts/"


def prepaid_contract(currency: str = "EUR") -> Contract:
    """A contract since March whose only prepaid credit is what is bought."""
    world = make_world(currency=currency)
    add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid"
    )
    return world.contract


def bought(term: Term, amount: str, *, at: datetime, intent: str = "pi_1") -> TopUp:
    """Credit that a card paid for at an instant, as if Stripe had said so."""
    made = start_top_up(
        contract=term.contract, amount=Decimal(amount), term_ref=term.ref, by="alice@example.com", now=at
    )
    take(
        top_up_id=made.pk,
        amount_minor=minor_units(made.amount, made.currency),
        currency=made.currency,
        payment_intent_id=intent,
        charge_id=intent.replace("pi_", "ch_"),
        now=at,
    )
    made.refresh_from_db()
    return made


def wrong_but_usage() -> list[str]:
    """The checks that do not hold, but of usage: what is used here was counted by no gateway."""
    return [one.name for one in check_books() if not one.holds and one.name != "gateway usage is the sum of its events"]
