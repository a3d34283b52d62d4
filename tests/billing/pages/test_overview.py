"""The provider's first page: what the margin page and the lists say, in one look, and only what a role may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.charging import charge_period, ensure_periods
from billing.margins import sum_day
from billing.models import BillingPeriod
from tenants.models import Membership, Role
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import text_of
from tests.billing.world import H100, MODEL, make_world
from tests.factories import Cast, make_user
from tests.metering.floor import make_floor

pytestmark = pytest.mark.django_db
PAGE = "/p/"


def read(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return text_of(answer)


def earning(cast: Cast) -> datetime:
    """Two leased cards at 2 an hour since the running month began, charged and summed."""
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    world = make_world(
        tokens={(MODEL, "input"): "3"}, gpus={H100: "2"}, from_at=first, parties=(cast.provider, cast.tenant)
    )
    world.lease(2, from_at=first, price="2", now=first, rolled_to_at=hour)
    ensure_periods(contract=world.contract, now=first)
    period = BillingPeriod.objects.get(contract=world.contract)
    charge_period(period_id=period.id, up_to=hour, now=now)
    for back in range(now.day):
        sum_day(provider_id=cast.provider.id, day=(now - timedelta(days=back)).date(), now=now)
    return now


def test_a_new_provider_is_told_what_to_do_first(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    words = read(client)
    assert "Nothing waits for you" in words
    assert "Nothing is earned yet this month" in words
    assert "No cluster yet" in words
    assert "Add a site of yours under Fleet" in words


def test_the_month_is_what_the_margin_page_says(cast: Cast, client: Client) -> None:
    now = earning(cast)
    hours = (now - now.replace(day=1, hour=0)).total_seconds() // 3600
    client.force_login(cast.petra)
    words = read(client)
    earned = f"${4 * int(hours):,}.00"
    assert f"Earned this month {earned}" in words
    # In the first hour of a month nothing is earned yet, so nobody has a part of it.
    assert (f"Tenant {earned} 100%" in words) is (hours > 0)
    assert earned in text_of(client.get("/p/margin/"))
    assert "unknown until every GPU has a cost" in words


def test_what_waits_stands_first_with_its_page(cast: Cast, client: Client) -> None:
    make_issued([Line("1234.50")], parties=(cast.provider, cast.tenant))
    make_floor(cast.provider, datetime.now(UTC))
    client.force_login(cast.petra)
    answer = client.get(PAGE)
    words = text_of(answer)
    assert "1 invoice is overdue $1,234.50 · since 17 Apr 2026" in words
    assert "west-a100-01: silent since" in words
    assert words.index("is overdue") < words.index("readings held back")
    assert "$1,234.50 overdue" in words
    assert 'href="/p/invoices/?state=overdue"' in answer.content.decode()
    assert "Sample-East" in words


@pytest.mark.parametrize(
    ("role", "money", "fleet"),
    [(Role.BILLING, True, False), (Role.DEVELOPER, False, True), (Role.VIEWER, True, True)],
)
def test_a_role_sees_its_part(cast: Cast, client: Client, role: Role, money: bool, fleet: bool) -> None:
    make_issued([Line("1234.50")], parties=(cast.provider, cast.tenant))
    make_floor(cast.provider, datetime.now(UTC))
    client.force_login(make_user("rhea@example.com", cast.provider, role))
    words = read(client)
    assert ("$1,234.50" in words) is money
    assert ("Earned per day" in words) is money
    assert ("Sample-East" in words) is fleet
    assert ("silent since" in words) is fleet


def test_nobody_else_sees_anything_of_it(cast: Cast, client: Client) -> None:
    make_issued([Line("1234.50")], parties=(cast.provider, cast.tenant))
    client.force_login(cast.charlie)
    assert "1,234.50" not in read(client)
    client.force_login(cast.alice)
    assert client.get(PAGE).status_code == 404
    Membership.objects.filter(user=cast.alice).delete()
    assert client.get(PAGE).status_code == 404


def test_the_page_takes_as_many_queries_whatever_there_is(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    earning(cast)
    for place in range(3):
        make_issued([Line("10.00")], parties=(cast.provider, cast.tenant), number=f"Q-{place}")
    client.force_login(cast.petra)
    with django_assert_max_num_queries(60):
        client.get(PAGE)
