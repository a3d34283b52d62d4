"""The days of an export's address: half-open in UTC, either way round, and nonsense is no page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.billing.issued import make_issued
from tests.billing.pages.reading import rows_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MICROSECOND = timedelta(microseconds=1)
FILE = "/t/exports/focus.csv"


def numbers(client: Client, first: str, last: str) -> set[str]:
    answer = client.get(FILE, {"from": first, "to": last})
    assert answer.status_code == 200
    return {row["InvoiceId"] for row in rows_of(answer)}


@pytest.mark.parametrize(
    ("issued_at", "first", "last", "found"),
    [
        (datetime(2026, 4, 3, tzinfo=UTC), "2026-04-03", "2026-04-03", True),
        (datetime(2026, 4, 4, tzinfo=UTC) - MICROSECOND, "2026-04-03", "2026-04-03", True),
        (datetime(2026, 4, 4, tzinfo=UTC), "2026-04-03", "2026-04-03", False),
        (datetime(2026, 4, 3, tzinfo=UTC) - MICROSECOND, "2026-04-03", "2026-04-03", False),
        (datetime(2026, 4, 3, 9, tzinfo=UTC), "2026-04-30", "2026-04-01", True),
        (datetime(2026, 4, 3, 9, tzinfo=UTC), "0001-01-01", "9999-12-30", True),
    ],
)
def test_a_day_is_whole_in_utc_and_the_days_may_be_given_either_way_round(
    cast: Cast, client: Client, issued_at: datetime, first: str, last: str, *, found: bool
) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant), issued_at=issued_at)
    client.force_login(cast.alice)
    assert numbers(client, first, last) == ({invoice.number} if found else set())


@pytest.mark.parametrize(
    "day", ["", "soon", "2026-02-30", "2026-4-3", "\0", "9999-12-31", "99999-01-01", "\u0662026-04-03"]
)
def test_what_is_no_day_is_not_found(cast: Cast, client: Client, day: str) -> None:
    client.force_login(cast.alice)
    for name, other in (("from", "to"), ("to", "from")):
        assert client.get(FILE, {name: day, other: "2026-04-03"}).status_code == 404
    assert client.get(FILE).status_code == 404
