"""Credit notes and write-offs by the API: who may, what they answer, once per key, and nothing for outsiders."""

from __future__ import annotations

import pytest

from billing.corrections.shapes import LINES_MAX
from billing.models import CreditNote
from tests.billing.corrections.called import Callers
from tests.kept import kept

pytestmark = pytest.mark.django_db
WHY = {"reason": "billing_error", "note": "Counted twice."}


@kept
def calls() -> Callers:
    return Callers()


def test_a_line_is_credited_by_quantity_and_read_by_both_parties(calls: Callers) -> None:
    body = {**WHY, "lines": [{"line": 1, "quantity": "250000"}]}
    made = calls.post("provider", calls.of_invoice("credit-notes"), body)
    assert made.status_code == 201
    said = made.json()
    assert (said["total"], said["applied"], said["to_balance"]) == ("25.00", "25.00", "0.00")
    assert said["lines"] == [
        {
            "line": 1,
            "description": "sample-model, output tokens (1)",
            "quantity": "250000",
            "unit": "tokens",
            "amount": "25.00",
            "tax": "0.00",
        }
    ]
    for who in ("provider", "tenant"):
        assert calls.get(who, f"credit-notes/{said['id']}").json() == said
        (row,) = calls.get(who, "credit-notes").json()["credit_notes"]
        assert row == {name: value for name, value in said.items() if name != "lines"}
    assert calls.get("charlie", f"credit-notes/{said['id']}").status_code == 404
    assert calls.get("charlie", "credit-notes").json() == {"credit_notes": [], "next_cursor": None}


@pytest.mark.parametrize("who", ["tenant", "charlie"])
def test_only_the_issuer_corrects_and_nobody_learns_that_it_is_there(calls: Callers, who: str) -> None:
    for what, body in (("credit-notes", WHY), ("write-off", {"reason": "Insolvent"})):
        assert calls.post(who, calls.of_invoice(what), body).status_code == 404
    assert not CreditNote.objects.exists()


def test_more_than_is_left_answers_with_what_is_left(calls: Callers) -> None:
    refused = calls.post(
        "provider", calls.of_invoice("credit-notes"), {**WHY, "lines": [{"line": 2, "amount": "20.01"}]}
    )
    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["code"], problem["position"], problem["left"]) == ("more_than_left", 2, "20.00")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": "because"}, 400),
        ({"note": ""}, 400),
        ({"lines": [{"line": 9}]}, 422),
        ({"lines": [{"amount": "1"}]}, 400),
        ({"lines": [{"line": 1}], "amount": "1"}, 422),
        ({"amount": "0.001"}, 422),
        ({"amount": "NaN"}, 400),
        ({"lines": [{"line": 1}] * (LINES_MAX + 1)}, 400),
    ],
)
def test_what_is_no_credit_note_is_refused(calls: Callers, changes: dict[str, object], status: int) -> None:
    assert calls.post("provider", calls.of_invoice("credit-notes"), {**WHY, **changes}).status_code == status
    assert not CreditNote.objects.exists()


def test_the_same_key_makes_one(calls: Callers) -> None:
    body = {**WHY, "amount": "30"}
    first, again = (calls.post("provider", calls.of_invoice("credit-notes"), body, key="cn-1") for _ in range(2))
    assert first.json() == again.json()
    assert CreditNote.objects.count() == 1
    other = calls.post("provider", calls.of_invoice("credit-notes"), {**body, "amount": "31"}, key="cn-1")
    assert other.status_code == 409


def test_the_list_goes_on_by_its_cursor(calls: Callers) -> None:
    numbers = [
        calls.post("provider", calls.of_invoice("credit-notes"), {**WHY, "amount": "1"}).json()["number"]
        for _ in range(3)
    ]
    first = calls.get("tenant", "credit-notes?limit=2").json()
    rest = calls.get("tenant", f"credit-notes?limit=2&cursor={first['next_cursor']}").json()
    assert rest["next_cursor"] is None
    assert [each["number"] for each in first["credit_notes"] + rest["credit_notes"]] == numbers[::-1]
    for query in ("cursor=x", "cursor=????", "cursor=MjAyNi0wMS0wMXwxMjM", "limit=0", "limit=501", "limit=x"):
        assert calls.get("tenant", f"credit-notes?{query}").status_code == 400


def test_an_invoice_is_written_off_once(calls: Callers) -> None:
    made = calls.post("provider", calls.of_invoice("write-off"), {"reason": "Insolvent"})
    assert made.status_code == 201
    assert (made.json()["amount"], made.json()["currency"]) == ("120.00", "USD")
    again = calls.post("provider", calls.of_invoice("write-off"), {"reason": "Insolvent"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_write_off")


def test_what_a_credit_note_comes_to_is_read_before_it_is_issued(calls: Callers) -> None:
    body = {"lines": [{"line": 1, "quantity": "250000"}]}
    address = calls.of_invoice("credit-notes/preview")
    seen = calls.post("provider", address, body)
    assert seen.status_code == 200
    assert seen.json() == {
        "currency": "USD",
        "subtotal": "25.00",
        "tax": "0.00",
        "total": "25.00",
        "applied": "25.00",
        "to_balance": "0.00",
        "operator_fee": "0.00",
        "lines": [{"line": 1, "quantity": "250000", "amount": "25.00", "tax": "0.00"}],
    }
    refused = calls.post("provider", address, {"lines": [{"line": 2, "amount": "20.01"}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_left")
    assert calls.post("tenant", address, body).status_code == 404
    assert not CreditNote.objects.exists()
    made = calls.post("provider", calls.of_invoice("credit-notes"), {**WHY, **body}).json()
    assert {name: made[name] for name in ("subtotal", "tax", "total", "applied", "to_balance")} == {
        name: seen.json()[name] for name in ("subtotal", "tax", "total", "applied", "to_balance")
    }
