"""A contract with a term of prepaid credit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.agreeing import add_adjustment
from billing.rating.credit import CreditWording
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from billing.models import Contract

BACK = "http://127.0.0.1:9/t/contracts/"


def prepaid_contract(currency: str = "EUR") -> Contract:
    """A contract since March whose only prepaid credit is what is bought."""
    world = make_world(currency=currency)
    add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid"
    )
    return world.contract
