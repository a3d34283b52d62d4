"""Debits over HTTP: for the issuer alone, once by its key, refused by field, and read by both parties as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing.corrections.debit_api import debit_row, state_of
from billing.corrections.debits import take_back_debit
from billing.models import Debit, DebitTakenBack
from tenants.models import AuditEntry
from tests.billing.adjusting.back_billed import always_back_billed
from tests.billing.corrections.test_debits import MAY, NOW, bill, debit, first, world
from tests.billing.test_closing_api import client_of, get, send

if TYPE_CHECKING:
    from tests.billing.world import World
    from tests.factories import Cast

__all__ = ["world"]

pytestmark = pytest.mark.django_db
BODY = {"amount": "30.00", "reason": "Two hours were left out"}


def address() -> str:
    return f"invoices/{first().pk}/debits"


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({"amount": "0"}, "amount", 422),
        ({"amount": "-3"}, "amount", 422),
        ({"amount": "0.001"}, "amount", 422),
        ({"amount": "much"}, "amount", 400),
        ({"amount": "1e30"}, "amount", 422),
        ({"amount": None}, "amount", 400),
        ({"reason": ""}, "reason", 400),
        ({"reason": "x" * 201}, "reason", 400),
        ({"reason": None}, "reason", 400),
        ({"line": 0}, "line", 400),
        ({"line": 99}, "line", 422),
        ({"line": "first"}, "line", 400),
    ],
)
def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_kept(
    world: World, body: dict[str, Any], field: str, status: int
) -> None:
    answer = send(client_of(world.provider), "post", address(), {**BODY, **body}, status)
    assert field in str(answer)
    assert not Debit.objects.exists()
    assert not AuditEntry.objects.filter(action="debit.added").exists()


def test_one_made_twice_by_one_key_is_one(world: World) -> None:
    always_back_billed(world.provider)
    client = client_of(world.provider)
    answers = [
        client.post(f"/api/v1/{address()}", BODY, content_type="application/json", headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Debit.objects.count() == 1
    other = client.post(
        f"/api/v1/{address()}", {**BODY, "amount": "31"}, content_type="application/json",
        headers={"Idempotency-Key": "once"},
    )  # fmt: skip
    assert other.status_code in (409, 422)
    assert Debit.objects.count() == 1


def test_only_the_issuer_adds_and_takes_back(cast: Cast, world: World) -> None:
    made = debit()
    for organization in (cast.tenant, cast.outsider, cast.operator):
        client = client_of(organization)
        send(client, "post", address(), BODY, 404)
        send(client, "post", f"debits/{made.pk}/take-back", {"reason": "Mine"}, 404)
    assert Debit.objects.count() == 1
    assert not DebitTakenBack.objects.exists()
    assert get(client_of(cast.outsider), "debits")["debits"] == []


def test_an_invoice_or_debit_that_is_not_there_is_not_found(world: World) -> None:
    client = client_of(world.provider)
    send(client, "post", f"invoices/{uuid4()}/debits", BODY, 404)
    send(client, "post", f"debits/{uuid4()}/take-back", {"reason": "x"}, 404)


def test_it_is_open_then_billed_or_taken_back_and_both_parties_read_so(world: World) -> None:
    kept, gone = debit(), debit("7.00", reason="One hour")
    assert {state_of(kept), state_of(gone)} == {"open"}
    take_back_debit(debit_id=gone.pk, reason="It was not", by="petra", now=NOW)
    bill(world)
    expected = {str(kept.pk): "billed", str(gone.pk): "taken_back"}
    for client in (client_of(world.provider), client_of(world.tenant)):
        assert {one["id"]: one["state"] for one in get(client, "debits")["debits"]} == expected
    answer = send(client_of(world.provider), "post", f"debits/{kept.pk}/take-back", {"reason": "Late"}, 409)
    assert answer["code"] == "debit_billed"


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, None])
def test_it_is_not_taken_back_without_a_reason(world: World, reason: str | None) -> None:
    made = debit()
    send(client_of(world.provider), "post", f"debits/{made.pk}/take-back", {"reason": reason}, 400)
    assert state_of(Debit.objects.get()) == "open"


def test_lists_go_in_pages_the_latest_first_and_the_file_holds_the_same(world: World) -> None:
    for amount in ("1.00", "2.00", "3.00"):
        debit(amount)
    client = client_of(world.tenant)
    page = get(client, "debits?limit=2")
    rest = get(client, f"debits?limit=2&cursor={page['next_cursor']}")
    amounts = [one["amount"] for one in (*page["debits"], *rest["debits"])]
    assert amounts == ["3.00", "2.00", "1.00"]
    assert rest["next_cursor"] is None
    answer = client.get("/api/v1/debits", headers={"Accept": "text/csv"})
    assert answer["Content-Type"].startswith("text/csv")
    lines = b"".join(getattr(answer, "streaming_content", None) or [answer.content]).decode().splitlines()
    assert [line for line in lines[1:] if ",USD," in line] == lines[1:]
    assert len(lines) == 4


def test_a_row_says_what_it_is_about(world: World) -> None:
    made = debit(position=1)
    row = debit_row(made)
    assert (row["invoice_id"], row["invoice"], row["line"]) == (str(first().pk), first().number, 1)
    assert (row["amount"], row["currency"], row["cause"], row["term_ref"]) == (
        "30.00", "USD", "correction", made.term.ref,
    )  # fmt: skip
    assert row["at"] == "2026-04-10T05:03:00Z"
    assert debit_row(debit("1.00"))["line"] is None
    assert MAY > NOW
