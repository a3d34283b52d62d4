"""Balances and refunds by the API: both parties read, the provider pays out, outsiders find nothing."""

from __future__ import annotations

import pytest

from tests.billing.corrections.called import Callers
from tests.billing.corrections.kept import keep
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def calls() -> Callers:
    made = Callers()
    keep("50.00", (made.invoice.issuer, made.invoice.tenant))
    return made


def body_of(calls: Callers, **changes: object) -> dict[str, object]:
    (balance,) = calls.get("tenant", "tenant-balances").json()["balances"]
    return {
        "balance_id": balance["id"],
        "amount": "30",
        "method": "bank_transfer",
        "reason": "Contract ended",
        **changes,
    }


def test_a_balance_is_paid_out_by_transfer_and_may_come_back(calls: Callers) -> None:
    made = calls.post("provider", "refunds", body_of(calls), key="re-1")
    assert made.status_code == 201
    said = made.json()
    assert (said["state"], said["amount"], said["payment_id"]) == ("pending", "30.00", None)
    assert calls.post("provider", "refunds", body_of(calls), key="re-1").json() == said
    assert calls.get("tenant", f"refunds/{said['id']}").json() == said
    (balance,) = calls.get("provider", "tenant-balances").json()["balances"]
    assert balance["amount"] == "20.00"
    sent = calls.post("provider", f"refunds/{said['id']}/sent", {"reference": "TRX-1"}).json()
    assert (sent["state"], sent["reference"]) == ("done", "TRX-1")
    back = calls.post("provider", f"refunds/{said['id']}/back", {"reason": "Account closed"}).json()
    assert (back["state"], back["last_error"]) == ("failed", "Account closed")
    (balance,) = calls.get("tenant", "tenant-balances").json()["balances"]
    assert balance["amount"] == "50.00"
    late = calls.post("provider", f"refunds/{said['id']}/sent", {"reference": "TRX-2"})
    assert (late.status_code, late.json()["code"]) == (409, "refund_is_over")


def test_only_the_provider_that_has_the_money_pays_it_out(calls: Callers) -> None:
    body = body_of(calls)
    for who in ("tenant", "charlie"):
        assert calls.post(who, "refunds", body).status_code == 404
    made = calls.post("provider", "refunds", body).json()
    for who in ("tenant", "charlie"):
        assert calls.post(who, f"refunds/{made['id']}/sent", {"reference": "x"}).status_code == 404
        assert calls.post(who, f"refunds/{made['id']}/back", {"reason": "x"}).status_code == 404
    assert calls.get("charlie", f"refunds/{made['id']}").status_code == 404
    assert calls.get("charlie", "refunds").json() == {"refunds": [], "next_cursor": None}
    assert calls.get("charlie", "tenant-balances").json() == {"balances": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "50.01"}, 409, "balance_too_low"),
        ({"amount": "0"}, 422, "wrong_refund"),
        ({"method": "card"}, 422, "wrong_refund"),
        ({"method": "cheque"}, 400, "bad_request"),
        ({"reason": ""}, 400, "bad_request"),
    ],
)
def test_what_is_no_refund_is_refused(calls: Callers, changes: dict[str, object], status: int, code: str) -> None:
    refused = calls.post("provider", "refunds", body_of(calls, **changes))
    assert refused.status_code == status
    assert code in ("bad_request", refused.json()["code"])
