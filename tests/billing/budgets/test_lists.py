"""Lists of budgets and alerts: in pages that neither miss nor repeat, also while rows arrive."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.budgets.lists import ALERT_ORDER, BUDGET_ORDER, alerts_of, budgets_of
from billing.models import SpendAlert
from tenants.listing.cursors import read_cursor
from tenants.listing.paging import Page, page_rows
from tests.billing.budgets.spent import NOW, set_budget
from tests.billing.world import MARCH

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def alert(cast: Cast, at: datetime, percent: int = 50, *, side: str = "tenant") -> SpendAlert:
    organization = cast.tenant if side == "tenant" else cast.provider
    return SpendAlert.objects.create(
        organization=organization, side=side, kind="anomaly", scope="model", subject=f"m-{percent}", measure="tokens",
        from_at=at, to_at=at + timedelta(hours=1), amount=1, used=2, at=at,
    )  # fmt: skip


def test_alerts_are_read_on_from_a_place_while_others_arrive(cast: Cast) -> None:
    made = [alert(cast, NOW + timedelta(minutes=minute // 2), minute) for minute in range(9)]
    seen: list[SpendAlert] = []
    page = Page(2)
    while True:
        paged = page_rows(alerts_of(cast.tenant), page, ALERT_ORDER)
        seen += paged.rows
        if paged.next_cursor is None:
            break
        page = Page(2, read_cursor(paged.next_cursor))
        alert(cast, NOW + timedelta(hours=len(seen)), 100 + len(seen))
    assert [one.pk for one in seen] == [one.pk for one in sorted(made, key=lambda one: (one.at, one.pk), reverse=True)]


def test_budgets_are_read_on_in_the_order_they_were_set(cast: Cast) -> None:
    names = [f"B{place}" for place in range(5)]
    for place, name in enumerate(names):
        set_budget(cast, name, now=MARCH + timedelta(seconds=place // 2))
    first = page_rows(budgets_of(cast.tenant), Page(2), BUDGET_ORDER)
    assert first.next_cursor is not None
    rest = page_rows(budgets_of(cast.tenant), Page(9, read_cursor(first.next_cursor)), BUDGET_ORDER)
    assert {one.name for one in [*first.rows, *rest.rows]} == set(names)
    assert (len(rest.rows), rest.next_cursor) == (3, None)


def test_lists_are_of_one_organization_side_budget_and_kind(cast: Cast) -> None:
    mine = alert(cast, NOW)
    alert(cast, NOW, side="provider")
    assert list(alerts_of(cast.tenant)) == [mine]
    assert list(alerts_of(cast.tenant, side="provider")) == []
    assert list(alerts_of(cast.tenant, kind="anomaly")) == [mine]
    assert list(alerts_of(cast.tenant, kind="threshold")) == []
    budget = set_budget(cast)
    assert list(alerts_of(cast.tenant, budget_id=budget.pk)) == []
    assert list(budgets_of(cast.tenant, side="tenant")) == [budget]
    assert not budgets_of(cast.provider).exists()
