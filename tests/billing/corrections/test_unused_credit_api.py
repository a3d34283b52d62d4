"""Unused credit by the API: both parties read what is left, the provider gives it back, outsiders find nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.models import TopUp
from billing.rating.credit import CreditWording
from tests.billing.corrections.called import Callers
from tests.billing.topups.prepaid import bought

if TYPE_CHECKING:
    from billing.models import Contract

pytestmark = pytest.mark.django_db
BODY = {"amount": "30", "method": "card", "reason": "Contract ended"}


@pytest.fixture
def calls() -> Callers:
    made = Callers()
    contract, now = made.invoice.contract, datetime.now(UTC)
    ensure_periods(contract=contract, now=now)
    start = contract.from_at
    term = add_adjustment(contract=contract, wording=CreditWording(), from_at=start, to_at=None, now=start, title="Pre")
    bought(term, "100", at=now - timedelta(hours=1))
    return made


def path(calls: Callers, what: str) -> str:
    contract: Contract = calls.invoice.contract
    return f"contracts/{contract.number}/{what}"


def test_both_read_what_is_left_and_the_provider_gives_it_back_once(calls: Callers) -> None:
    first = calls.get("tenant", path(calls, "purchases")).json()
    assert [(one["left"], one["to_card"]) for one in first["purchases"]] == [("100.00", "100.00")]
    made = calls.post("provider", path(calls, "credit-refunds"), BODY, key="back-1")
    assert made.status_code == 201
    [refund] = made.json()["refunds"]
    assert (refund["amount"], refund["method"], refund["state"]) == ("30.00", "card", "pending")
    assert (refund["payment_id"], refund["top_up_id"]) == (None, str(TopUp.objects.get().pk))
    assert calls.post("provider", path(calls, "credit-refunds"), BODY, key="back-1").json() == made.json()
    assert calls.get("tenant", f"refunds/{refund['id']}").json() == refund
    [left] = calls.get("provider", path(calls, "purchases")).json()["purchases"]
    assert (left["left"], left["to_card"], left["amount"]) == ("70.00", "70.00", "100.00")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "100.01"}, 409, "more_than_unused"),
        ({"purchase": "another"}, 409, "more_than_unused"),
        ({"amount": "0.001", "method": "bank_transfer"}, 422, "wrong_refund"),
        ({"amount": "0"}, 422, "wrong_refund"),
        ({"method": "cash"}, 400, "invalid"),
        ({"reason": ""}, 400, "invalid"),
    ],
)
def test_what_cannot_go_back_is_refused_in_words(
    calls: Callers, changes: dict[str, str], status: int, code: str
) -> None:
    answer = calls.post("provider", path(calls, "credit-refunds"), {**BODY, **changes})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_nobody_else_finds_or_gives_anything(calls: Callers) -> None:
    assert calls.get("charlie", path(calls, "purchases")).status_code == 404
    for who in ("tenant", "charlie"):
        assert calls.post(who, path(calls, "credit-refunds"), BODY).status_code == 404
