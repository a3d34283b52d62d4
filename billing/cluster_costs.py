"""Entering what a cluster costs: a new dated version beside the ones before, never a change of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Max

from billing.economics.cost import WrongCost
from billing.models import CardCost, ClusterCost, MarginDay
from billing.money import UnknownCurrency, minor_digits
from clusters.models import Cluster
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime

    from billing.economics.cost import CostRates
    from tenants.models import Organization

ENTERED: Final = "cluster_cost.entered"
CARDS_MAX: Final = 50


class ClusterUnknown(Problem):
    """The provider has no such cluster."""

    status = 404
    code = "cluster_unknown"
    title = "There is no such cluster"


class WrongClusterCost(Problem):
    """A figure of the cost model cannot be."""

    status = 422
    code = "wrong_cluster_cost"
    title = "The cost model cannot be taken"


@transaction.atomic
def enter_cluster_cost(
    *, provider: Organization, cluster_slug: str, rates: CostRates, grid_source: str, by: str, now: datetime
) -> ClusterCost:
    """Store what a cluster costs from an instant on, past or to come, and have the days from then worked out anew.

    No bill depends on a cost: a provider may correct the past by entering the same instant again.
    Raises ClusterUnknown, WrongClusterCost.
    """
    _check(rates)
    cluster = Cluster.objects.select_for_update(no_key=True).filter(provider=provider, slug=cluster_slug).first()
    if cluster is None:
        raise ClusterUnknown(sentence("No cluster of yours has this name."))
    latest = ClusterCost.objects.filter(cluster=cluster).aggregate(number=Max("number"))["number"] or 0
    other = ClusterCost.objects.filter(cluster=cluster).exclude(currency=rates.currency).first()
    if other is not None:
        raise WrongClusterCost(
            sentence("currency: the costs of this cluster are in %(currency)s.", currency=other.currency),
            field="currency",
            example=other.currency,
        )
    stored = ClusterCost.objects.create(
        cluster=cluster,
        number=latest + 1,
        effective_at=rates.effective_at,
        currency=rates.currency,
        power_price_per_kwh=rates.power_price_per_kwh,
        pue=rates.pue,
        rent_per_month=rates.rent_per_month,
        overhead_per_month=rates.overhead_per_month,
        grid_g_per_kwh=rates.grid_g_per_kwh,
        grid_source=grid_source.strip(),
        entered_by=by,
        created_at=now,
    )
    CardCost.objects.bulk_create(
        CardCost(cost=stored, accelerator_model=model, capex_per_gpu=card.capex_per_gpu, life_days=card.life_days)
        for model, card in sorted(rates.cards.items())
    )
    MarginDay.objects.filter(provider=provider, day__gte=rates.effective_at.date()).delete()
    AuditEntry.objects.create(
        organization=provider,
        actor=by,
        action=ENTERED,
        subject=f"{cluster.slug} v{stored.number}",
        after={"effective_at": rates.effective_at.isoformat(), "number": stored.number},
        at=now,
    )
    return stored


def _check(rates: CostRates) -> None:
    try:
        rates.check()
        minor_digits(rates.currency)
    except WrongCost as wrong:
        raise WrongClusterCost(str(wrong), said=wrong.reason, field=wrong.field, example=wrong.example) from wrong
    except UnknownCurrency as unknown:
        raise WrongClusterCost(
            sentence("currency: %(unknown)s", unknown=unknown.args[0]), field="currency", example="USD"
        ) from unknown
    if len(rates.cards) > CARDS_MAX:
        raise WrongClusterCost(
            sentence("cards: at most %(most)s card models.", most=CARDS_MAX), field="cards", example=""
        )
