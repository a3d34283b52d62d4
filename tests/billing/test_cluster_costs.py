"""Entering what a cluster costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import InternalError, transaction
from django.db.utils import IntegrityError

from billing.cluster_costs import CARDS_MAX, ClusterUnknown, WrongClusterCost, enter_cluster_cost
from billing.economics.cost import CardCost
from billing.models import CardCost as CardCostRow
from billing.models import ClusterCost
from billing.queries.uses import rates_of
from clusters.models import Cluster
from tenants.models import AuditEntry
from tests import factories
from tests.billing.costly import AT, RATES, enter
from tests.billing.world import H100, MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db


def cluster() -> Cluster:
    provider = factories.make_organization("quarry", is_provider=True, is_tenant=False)
    return factories.make_cluster(provider)


site = kept(cluster)


def test_a_cost_is_kept_with_its_cards_and_who_entered_it(site: Cluster) -> None:
    stored = enter(site)
    assert (stored.number, stored.entered_by, stored.grid_source) == (1, "petra@example.com", "sample")
    assert rates_of([stored.cluster_id]) == {str(stored.cluster_id): [RATES]}
    assert AuditEntry.objects.get().action == "cluster_cost.entered"


def test_of_one_instant_the_last_entered_counts(site: Cluster) -> None:
    enter(site)
    corrected = replace(RATES, pue=Decimal("1.40"))
    stored = enter(site, corrected)
    later = replace(RATES, effective_at=MARCH + timedelta(days=3))
    enter(site, later)
    assert rates_of([stored.cluster_id])[str(stored.cluster_id)] == [corrected, later]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pue": Decimal("0.5")}, "pue"),
        ({"currency": "XYZ"}, "currency"),
        ({"cards": {f"card-{n}": CardCost(Decimal(1), 1) for n in range(CARDS_MAX + 1)}}, "cards"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_stored(change: dict[str, object], field: str, site: Cluster) -> None:
    with pytest.raises(WrongClusterCost) as refused:
        enter(site, replace(RATES, **change))  # type: ignore[arg-type] # varied by name
    assert refused.value.extra["field"] == field
    assert not ClusterCost.objects.exists()


def test_a_cluster_has_one_currency_of_costs(site: Cluster) -> None:
    enter(site)
    with pytest.raises(WrongClusterCost, match="USD"):
        enter(site, replace(RATES, currency="EUR"))


def test_another_providers_cluster_is_none() -> None:
    cluster()
    with pytest.raises(ClusterUnknown):
        enter_cluster_cost(
            provider=factories.make_organization("other"),
            cluster_slug="sample-1",
            rates=RATES,
            grid_source="",
            by="",
            now=AT,
        )


def test_the_database_refuses_to_change_a_cost() -> None:
    stored = enter(cluster())
    for change in (
        lambda: ClusterCost.objects.filter(pk=stored.pk).update(pue=2),
        lambda: CardCostRow.objects.filter(accelerator_model=H100).update(life_days=1),
        lambda: CardCostRow.objects.all().delete(),
    ):
        with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
            change()
