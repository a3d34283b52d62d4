"""Which models a tenant's deployments serve, and which they ever did."""

from datetime import datetime

from django.db.models import Q

from clusters.models import Binding
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
