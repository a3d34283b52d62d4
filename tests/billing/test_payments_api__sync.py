"""Keeping a copy of payments, payouts, credit notes and contracts by `updated_since`: nothing is missed."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.test import Client

from billing.models import Contract, Payment, PaymentReversal
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def receive(cast: Cast, number: int) -> Payment:
    """A payment of an invoice of its own, which says that it came the earlier, the later it is recorded."""
    invoice = make_issued((Line("5.00"),), parties=(cast.provider, cast.tenant))
    return Payment.objects.create(
        invoice=invoice, amount=Decimal(5), currency="USD", method="bank_transfer", reference=f"ref-{number}",
        received_at=ISSUED_AT - number * HOUR,
    )  # fmt: skip


@kept
def received(cast: Cast) -> list[Payment]:
    return [receive(cast, number) for number in range(5)]


class Program:
    """A program of the tenant that keeps a copy."""

    def __init__(self, cast: Cast) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"})

    def get(self, path: str = "payments", **query: object) -> Any:
        return self.client.get(f"/api/v1/{path}", {name: str(value) for name, value in query.items()})

    def walk(self, since: datetime | None = None, path: str = "payments", limit: int = 2, **query: object) -> list[Any]:
        """Every row from an instant on, page by page."""
        found: list[Any] = []
        asked: dict[str, Any] = {"limit": limit, **query}
        if since is not None:
            asked["updated_since"] = since.isoformat()
        for _page in range(20):
            told = self.get(path, **asked).json()
            found += told[path.replace("-", "_")]
            if told["next_cursor"] is None:
                return found
            asked["cursor"] = told["next_cursor"]
        raise AssertionError("the walk does not end")

    def ids(self, since: datetime | None = None, **query: Any) -> list[str]:
        return [row["id"] for row in self.walk(since, **query)]


def stamp(payment: Payment) -> datetime:
    return Payment.objects.get(pk=payment.pk).changed_at


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 2, 500])
def test_since_an_instant_includes_it_the_oldest_change_first_and_pages_join(
    cast: Cast, received: list[Payment], limit: int
) -> None:
    program, ids = Program(cast), [str(one.pk) for one in received]
    for index, one in enumerate(received):
        assert program.ids(stamp(one), limit=limit) == ids[index:]
        assert program.ids(stamp(one) + TICK, limit=limit) == ids[index + 1 :]
    assert program.ids(limit=limit) == ids  # the latest received first, which was recorded first


@pytest.mark.django_db
def test_what_is_recorded_late_is_found_however_long_ago_it_came(cast: Cast, received: list[Payment]) -> None:
    program = Program(cast)
    last = datetime.fromisoformat(program.walk(stamp(received[0]))[-1]["updated_at"])
    late = receive(cast, 1000)
    assert program.ids(last) == [str(received[-1].pk), str(late.pk)]


@pytest.mark.django_db
def test_a_part_that_is_taken_back_is_a_change_of_its_payment(cast: Cast, received: list[Payment]) -> None:
    program, first, since = Program(cast), received[0], stamp(received[-1]) + TICK
    assert program.ids(since) == []
    PaymentReversal.objects.create(
        payment=first, reference="r-1", amount=Decimal(2), reason="sent back", by="tests", reversed_at=ISSUED_AT
    )
    (row,) = program.walk(since)
    assert (row["id"], row["taken_back"]) == (str(first.pk), "2.00")


@pytest.mark.django_db
def test_nobody_writes_a_stamp_or_anything_else_of_a_payment(cast: Cast) -> None:
    payment = receive(cast, 1)
    before = stamp(payment)
    Payment.objects.filter(pk=payment.pk).update(changed_at=ISSUED_AT)
    assert stamp(payment) > before
    for change in ({"amount": 6}, {"received_at": ISSUED_AT}, {"reference": "other"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        payment.delete()


@pytest.mark.django_db
def test_filters_hold_together_and_on_every_page(cast: Cast, received: list[Payment]) -> None:
    wanted, program = received[2], Program(cast)
    number = wanted.invoice.number
    assert program.ids(invoice=number) == program.ids(stamp(wanted), invoice=number) == [str(wanted.pk)]
    assert program.ids(stamp(wanted) + TICK, invoice=number) == []
    assert program.ids(invoice="S-none") == []


@pytest.mark.django_db
def test_contracts_credit_notes_and_payouts_are_followed_the_same_way(cast: Cast, received: list[Payment]) -> None:
    program = Program(cast)
    contracts = list(Contract.objects.order_by("changed_at"))
    assert len(contracts) == len(received)
    Contract.objects.filter(pk=contracts[0].pk).update(name="touched")
    found = program.ids(contracts[1].changed_at, path="contracts")
    assert found == [*(str(one.pk) for one in contracts[1:]), str(contracts[0].pk)]
    assert program.ids(contracts[0].changed_at, path="credit-notes") == []
    assert program.ids(contracts[0].changed_at, path="payouts") == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["payments", "payouts", "credit-notes", "contracts"])
@pytest.mark.parametrize("since", ["yesterday", "2026-13-01T00:00:00Z", "2026-04-03T25:00:00Z", "%", ""])
def test_what_is_no_instant_is_refused_by_name(cast: Cast, path: str, since: str) -> None:
    answer = Program(cast).get(path, updated_since=since)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "updated_since"
    assert "YYYY-MM-DDThh:mm" in error["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["open", "PAID", "x"])
def test_a_state_that_no_payout_has_is_refused_by_name(cast: Cast, state: str) -> None:
    answer = Program(cast).get("payouts", state=state)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "state"


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_waited_for(cast: Cast) -> None:
    first = receive(cast, 0)
    program, since = Program(cast), stamp(first)
    contracts = list(Contract.objects.order_by("changed_at"))
    written, may_commit = threading.Event(), threading.Event()
    made: list[Payment] = []

    def write_slowly() -> None:
        try:
            with transaction.atomic():
                made.append(receive(cast, 1))
                written.set()
                assert may_commit.wait(30)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert written.wait(30)
    Contract.objects.filter(pk=contracts[0].pk).update(name="beside")
    meanwhile = program.ids(since), program.ids(contracts[-1].changed_at + TICK, path="contracts")
    may_commit.set()
    writer.join()
    # Beside an older transaction nothing is shown that it could still write before.
    assert meanwhile == ([str(first.pk)], [])
    assert program.ids(since) == [str(first.pk), str(made[0].pk)]
    assert str(contracts[0].pk) in program.ids(contracts[-1].changed_at + TICK, path="contracts")
