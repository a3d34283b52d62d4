"""Costs of clusters are appended, and sane; the days worked out from them are replaced."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import InternalError, transaction
from django.db.utils import IntegrityError

from billing.models import CardCost, ClusterCost, MarginDay, MarginRow
from clusters.models import Cluster
from tests import factories
from tests.billing.world import H100, MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def site() -> Cluster:
    return factories.make_cluster(factories.make_organization("quarry", is_provider=True, is_tenant=False))


def cost(site: Cluster, **changes: Any) -> ClusterCost:
    plain = {
        "cluster": site, "number": 1, "effective_at": MARCH, "currency": "USD", "power_price_per_kwh": Decimal("0.1"),
        "pue": Decimal(1), "rent_per_month": Decimal(0), "overhead_per_month": Decimal(0), "entered_by": "petra",
        "created_at": MARCH,
    }  # fmt: skip
    return ClusterCost.objects.create(**(plain | changes))


def card(of: ClusterCost, **changes: Any) -> CardCost:
    plain = {"cost": of, "accelerator_model": H100, "capex_per_gpu": Decimal(0), "life_days": 1}
    return CardCost.objects.create(**(plain | changes))


def margin(site: Cluster, **changes: Any) -> MarginRow:
    plain = {"provider": site.provider, "day": date(2026, 3, 5), "cluster": site, "kind": "idle", "currency": "USD"}
    return MarginRow.objects.create(**(plain | changes))


made = kept(cost)


@pytest.mark.parametrize(
    "change",
    [
        {"pue": Decimal("0.9999")},
        {"power_price_per_kwh": Decimal("-0.000000000001")},
        {"rent_per_month": Decimal("-0.000001")},
        {"overhead_per_month": Decimal(-1)},
    ],
)
def test_a_cost_below_zero_or_a_site_that_makes_energy_is_refused(site: Cluster, change: dict[str, Decimal]) -> None:
    with pytest.raises(IntegrityError, match="cluster_cost_not_negative"), transaction.atomic():
        cost(site, **change)


def test_a_cost_of_nothing_is_a_cost(site: Cluster) -> None:
    made = cost(site, power_price_per_kwh=Decimal(0))
    made.refresh_from_db()
    assert (made.power_price_per_kwh, made.grid_g_per_kwh, made.grid_source) == (Decimal(0), None, "")


def test_numbers_are_once_per_cluster_and_instants_are_not(site: Cluster) -> None:
    cost(site)
    with pytest.raises(IntegrityError, match="cluster_cost_number"), transaction.atomic():
        cost(site)
    cost(site, number=2)
    cost(factories.make_cluster(site.provider, "sample-2"))
    assert ClusterCost.objects.filter(effective_at=MARCH).count() == 3


@pytest.mark.parametrize("change", [{"capex_per_gpu": Decimal("-0.000001")}, {"life_days": 0}])
def test_a_card_is_not_written_off_over_no_days_nor_below_nothing(change: dict[str, Any], made: ClusterCost) -> None:
    with pytest.raises(IntegrityError, match="card_cost_sane"), transaction.atomic():
        card(made, **change)


def test_a_model_of_card_is_once_in_a_cost(site: Cluster, made: ClusterCost) -> None:
    first = made
    card(first)
    with pytest.raises(IntegrityError, match="card_cost_once"), transaction.atomic():
        card(first)
    card(first, accelerator_model="another")
    card(cost(site, number=2))
    assert CardCost.objects.count() == 3


def test_neither_a_cost_nor_its_cards_are_changed_or_taken_back(made: ClusterCost) -> None:
    held = card(made)
    for change in (
        lambda: ClusterCost.objects.filter(pk=made.pk).update(entered_by="somebody"),
        lambda: CardCost.objects.filter(pk=held.pk).update(capex_per_gpu=1),
        lambda: CardCost.objects.filter(pk=held.pk).delete(),
        lambda: ClusterCost.objects.filter(pk=made.pk).delete(),
    ):
        with pytest.raises((InternalError, IntegrityError)), transaction.atomic():
            change()
    made.refresh_from_db()
    held.refresh_from_db()
    assert (made.entered_by, held.capex_per_gpu) == ("petra", Decimal(0))


@pytest.mark.parametrize("without", [{}, {"cluster": None, "kind": "unplaced"}])
def test_one_use_is_one_row_of_a_day_without_a_place_or_a_tenant_too(site: Cluster, without: dict[str, Any]) -> None:
    margin(site, **without)
    with pytest.raises(IntegrityError, match="margin_row_once"), transaction.atomic():
        margin(site, **without)
    margin(site, currency="EUR", **without)
    margin(site, tenant=factories.make_organization("tenant"), **without)
    assert MarginRow.objects.count() == 3


def test_what_was_worked_out_may_be_replaced_and_unknown_energy_is_not_zero(site: Cluster) -> None:
    made = margin(site, revenue=Decimal("0.000000000000000001"))
    made.refresh_from_db()
    assert (made.revenue, made.energy_cost, made.carbon_g) == (Decimal("1E-18"), None, None)
    assert MarginRow.objects.filter(day=made.day).delete()[0] == 1


def test_a_day_is_worked_out_once_per_provider(site: Cluster) -> None:
    MarginDay.objects.create(provider=site.provider, day=date(2026, 3, 5), summed_at=MARCH)
    with pytest.raises(IntegrityError, match="margin_day_once"), transaction.atomic():
        MarginDay.objects.create(provider=site.provider, day=date(2026, 3, 5), summed_at=MARCH)
    other = factories.make_organization("other", is_provider=True)
    MarginDay.objects.create(provider=other, day=date(2026, 3, 5), summed_at=MARCH)
    assert MarginDay.objects.count() == 2
