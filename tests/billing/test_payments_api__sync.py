"""Following payments and payouts by `updated_since`: borders, filters together, and pages that join."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from billing.models import Payment
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.filled import api_key

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def received(cast: Cast) -> list[Payment]:
    """Payments of one invoice each, an hour apart; two share an instant."""
    made = []
    for number, hours in enumerate((0, 1, 2, 2, 3)):
        invoice = make_issued((Line("5.00"),), parties=(cast.provider, cast.tenant))
        made.append(
            Payment.objects.create(
                invoice=invoice,
                amount=Decimal(5),
                currency="USD",
                method="bank_transfer",
                reference=f"ref-{number}",
                received_at=ISSUED_AT + hours * HOUR,
            )
        )
    return made


class Program:
    """A program of the tenant that keeps a copy of its payments."""

    def __init__(self, cast: Cast) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"})

    def get(self, path: str = "payments", **query: object) -> Any:
        return self.client.get(f"/api/v1/{path}", {name: str(value) for name, value in query.items()})

    def ids(self, since: datetime | None = None, limit: int = 2, **query: object) -> list[str]:
        found: list[str] = []
        asked: dict[str, Any] = {"limit": limit, **query}
        if since is not None:
            asked["updated_since"] = since.isoformat()
        for _page in range(20):
            told = self.get(**asked).json()
            found += [row["id"] for row in told["payments"]]
            if told["next_cursor"] is None:
                return found
            asked["cursor"] = told["next_cursor"]
        raise AssertionError("the walk does not end")


@pytest.mark.parametrize(("hours", "count"), [(-1, 5), (0, 5), (1, 4), (2, 3), (3, 1), (4, 0)])
def test_since_an_instant_includes_it_and_pages_join(
    cast: Cast, received: list[Payment], hours: int, count: int
) -> None:
    found = Program(cast).ids(ISSUED_AT + hours * HOUR)
    assert len(found) == len(set(found)) == count
    latest_first = sorted(received, key=lambda one: (one.received_at, one.pk), reverse=True)
    assert found == [str(one.pk) for one in latest_first[:count]]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_the_size_of_pages_changes_nothing(cast: Cast, received: list[Payment], limit: int) -> None:
    assert Program(cast).ids(limit=limit) == Program(cast).ids(limit=500)
    assert len(Program(cast).ids(limit=limit)) == len(received)


def test_filters_hold_together_and_on_every_page(cast: Cast, received: list[Payment]) -> None:
    wanted = received[2]
    program = Program(cast)
    number = wanted.invoice.number
    assert program.ids(invoice=number) == [str(wanted.pk)]
    assert program.ids(wanted.received_at, invoice=number) == [str(wanted.pk)]
    assert program.ids(wanted.received_at + HOUR, invoice=number) == []
    assert program.ids(invoice="S-none") == []


def test_an_instant_of_another_zone_is_the_same_instant(cast: Cast, received: list[Payment]) -> None:
    program = Program(cast)
    told = program.get(updated_since="2026-04-03T17:00:00+08:00").json()["payments"]
    assert {row["id"] for row in told} == {str(one.pk) for one in received}


@pytest.mark.parametrize("path", ["payments", "payouts"])
@pytest.mark.parametrize("since", ["yesterday", "2026-13-01T00:00:00Z", "2026-04-03T25:00:00Z", "1", "%"])
def test_what_is_no_instant_is_refused_by_name(cast: Cast, path: str, since: str) -> None:
    answer = Program(cast).get(path, updated_since=since)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "updated_since"
    assert "YYYY-MM-DDThh:mm" in error["detail"]


@pytest.mark.parametrize("state", ["open", "PAID", "x"])
def test_a_state_that_no_payout_has_is_refused_by_name(cast: Cast, state: str) -> None:
    answer = Program(cast).get("payouts", state=state)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "state"
