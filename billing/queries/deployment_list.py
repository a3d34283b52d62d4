"""A provider's deployments, and what of its endpoints a deployment can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from django.db.models import Prefetch, Q

from clusters.models import Binding, Deployment, Endpoint
from clusters.own_floor import own_floor

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

STATES: Final = ("running", "coming", "ended")
OFFERED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that an endpoint serves, and the place where it runs."""

    endpoint_id: UUID
    model: str
    node: str
    cluster: str
    url: str


def deployments_found(
    provider: Organization, now: datetime, *, text: str = "", cluster: str = "", state: str = ""
) -> QuerySet[Deployment]:
    """Return a provider's deployments with tenants and bindings, the latest first: those that all words fit."""
    found = Deployment.objects.filter(provider=provider)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(slug__icontains=text) | Q(tenant__name__icontains=text))
    if cluster:
        here = Binding.objects.filter(endpoint__node__cluster__slug=cluster, endpoint__node__cluster__provider=provider)
        found = found.filter(pk__in=here.values("deployment"))
    over = Q(to_at__isnull=False, to_at__lte=now)
    chosen = {"running": ~over & Q(from_at__lte=now), "coming": Q(from_at__gt=now), "ended": over}.get(state, Q())
    bindings = Binding.objects.select_related("endpoint__node__cluster").order_by("from_at", "pk")
    rows = found.filter(chosen).select_related("tenant").prefetch_related(Prefetch("bindings", queryset=bindings))
    return cast("QuerySet[Deployment]", rows.order_by("-from_at", "name", "pk"))


def bindings_of(one: Deployment) -> list[Binding]:
    """Return what a deployment that was found here has and had, the first first, without a further query."""
    return [each for each in one.bindings.all() if isinstance(each, Binding)]


def free_models(provider: Organization, now: datetime) -> list[ServedModel]:
    """Return what a provider's endpoints serve that no deployment has now or later, by cluster and node."""
    with own_floor(provider):
        return _free_models(provider, now)


def _free_models(provider: Organization, now: datetime) -> list[ServedModel]:
    taken = set(
        Binding.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), endpoint__node__cluster__provider=provider)
        .order_by()
        .values_list("endpoint_id", "model")
    )
    rows = Endpoint.objects.filter(node__cluster__provider=provider, node__revoked_at__isnull=True)
    ordered = rows.order_by("node__cluster__name", "node__name", "url", "pk")
    named = ordered.values_list("pk", "served_models", "node__name", "node__cluster__name", "url")
    return [
        ServedModel(endpoint_id, model, node, cluster, url)
        for endpoint_id, models, node, cluster, url in named[:OFFERED_MAX]
        for model in models
        if (endpoint_id, model) not in taken
    ]
