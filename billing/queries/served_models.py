"""Which models deployments serve, and which they ever did: a tenant's, and a provider's."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing.rating.price_lists import FACTOR, PriceKey
from billing.rating.rated import PriceUnit
from clusters.card_models import card_models, nearest
from clusters.models import Binding, Endpoint
from metering.models import UsageHour
from tenants.models import Organization


def serves_model(organization: Organization, model: str, now: datetime) -> bool:
    """Whether a deployment of the tenant serves a model at an instant."""
    lasting = Q(to_at__isnull=True) | Q(to_at__gt=now)
    return Binding.objects.filter(lasting, deployment__tenant=organization, model=model, from_at__lte=now).exists()


def known_model(organization: Organization, model: str) -> bool:
    """Whether the tenant ever was served a model, or used it."""
    bound = Binding.objects.filter(deployment__tenant=organization, model=model).exists()
    return bound or UsageHour.objects.filter(tenant=organization, model=model).exists()


def served_by(provider_id: UUID) -> set[str]:
    """Return the models that the endpoints of a provider name."""
    named = Endpoint.objects.filter(node__cluster__provider=provider_id).values_list("served_models", flat=True)
    return {name for names in named for name in names}


def unseen_names(provider: Organization, prices: Iterable[PriceKey]) -> dict[str, str]:
    """Return the models and cards of prices that the provider never had, each with the name that is most like it.

    A price may come before its model. Or the name is misspelt, and what is used under the right one has no price.
    """
    keys = [key for key in prices if key.model and key.unit not in (FACTOR, PriceUnit.PER_GB_MONTH)]
    cards = card_models(provider_ids=[provider.pk])
    bound = Binding.objects.filter(deployment__provider=provider).values_list("model", flat=True).distinct()
    models = {*served_by(provider.pk), *bound}
    unseen: dict[str, str] = {}
    for name, is_card in sorted({(key.model, key.unit == PriceUnit.PER_GPU_HOUR) for key in keys}):
        known = cards if is_card else models
        used = not is_card and UsageHour.objects.filter(deployment__provider=provider, model=name).exists()
        if name not in known and not used:
            unseen[name] = nearest(name, known, "")
    return unseen
