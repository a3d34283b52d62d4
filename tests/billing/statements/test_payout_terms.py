"""Who sets what of a provider's payouts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.models import PayoutTerms
from billing.statements.payout_terms import NotYourPayoutTerms, WrongPayoutTerms, set_terms
from tenants.models import AuditEntry, Organization
from tests.billing.world import APRIL
from tests.factories import Cast

pytestmark = pytest.mark.django_db


def put(provider: Organization, actor: Organization, **changes: Any) -> PayoutTerms:
    return set_terms(provider=provider, changes=changes, actor=actor, by="sam", now=APRIL)


def test_the_provider_says_how_and_the_operator_what_is_held_back(cast: Cast) -> None:
    put(cast.provider, cast.provider, method="stripe", schedule="daily", minimum_amount=Decimal(100))
    put(cast.provider, cast.operator, hold_days=14, reserve_amount=Decimal(500), held_reason="being checked")
    terms = PayoutTerms.objects.get()
    assert (terms.method, terms.schedule, terms.minimum_amount) == ("stripe", "daily", Decimal(100))
    assert (terms.hold_days, terms.reserve_amount, terms.held_reason) == (14, Decimal(500), "being checked")
    last = AuditEntry.objects.filter(action="payout_terms.set").latest("pk")
    assert last.before == {"hold_days": "7", "reserve_amount": "0.0000", "held_reason": ""}
    assert last.after == {"hold_days": "14", "reserve_amount": "500", "held_reason": "being checked"}


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        ("provider", {"held_reason": ""}),
        ("provider", {"hold_days": 0}),
        ("operator", {"method": "stripe"}),
        ("outsider", {"schedule": "daily"}),
        ("tenant", {"reserve_amount": Decimal(0)}),
    ],
)
def test_nobody_sets_what_is_the_others(cast: Cast, who: str, changes: dict[str, Any]) -> None:
    with pytest.raises(NotYourPayoutTerms):
        put(cast.provider, getattr(cast, who), **changes)
    assert not PayoutTerms.objects.exists()


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        ("provider", {"method": "cash"}),
        ("provider", {"schedule": "never"}),
        ("provider", {"minimum_amount": Decimal(-1)}),
        ("provider", {"minimum_amount": Decimal("0.00001")}),
        ("provider", {"minimum_amount": Decimal("NaN")}),
        ("operator", {"reserve_amount": Decimal(10**13)}),
        ("operator", {"hold_days": 366}),
        ("operator", {"held_reason": "x" * 201}),
    ],
)
def test_a_value_that_cannot_be_is_refused(cast: Cast, who: str, changes: dict[str, Any]) -> None:
    with pytest.raises(WrongPayoutTerms, match=next(iter(changes))):
        put(cast.provider, getattr(cast, who), **changes)
    assert not PayoutTerms.objects.exists()
