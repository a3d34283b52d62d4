"""What the form of a new contract offers: whom an organization deals with already, and what cards there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q

from billing.models import Contract
from clusters.models import Accelerator
from clusters.own_floor import own_floor
from tenants.limits.reader import within_own
from tenants.models import Organization

if TYPE_CHECKING:
    from django.db.models import QuerySet

OFFERED_MAX: Final = 500
"""Of either; who has more types the name."""


def known_parties(organization: Organization, side: str) -> list[Organization]:
    """Return the other parties of an organization's contracts, and for a provider whom it invited, by name."""
    if side == "provider":
        theirs = Contract.objects.filter(provider=organization).values("tenant")
        known = Q(is_tenant=True) & (Q(pk__in=theirs) | Q(introduced_by=organization))
        with within_own(organization.pk, "whom a provider has contracts with and whom it invited"):
            return _first(organization, known)
    providers = Contract.objects.filter(tenant=organization).values("provider")
    return _first(organization, Q(is_provider=True) & (Q(pk__in=providers) | Q(introduced=organization)))


def _first(organization: Organization, known: Q) -> list[Organization]:
    others = Organization.objects.filter(known).exclude(pk=organization.pk)
    return list(others.distinct().order_by("name", "pk")[:OFFERED_MAX])


def card_models(organization: Organization, side: str) -> list[str]:
    """Return the models of cards that a provider has, or those of a tenant's providers, as prices name them."""
    if side == "provider":
        with own_floor(organization):
            return _models(Accelerator.objects.filter(node__cluster__provider=organization))
    dealt_with = Contract.objects.filter(tenant=organization).values("provider")
    return _models(Accelerator.objects.filter(node__cluster__provider__in=dealt_with))


def _models(cards: QuerySet[Accelerator]) -> list[str]:
    return list(cards.order_by("model").values_list("model", flat=True).distinct()[:OFFERED_MAX])
