"""What a visit to Stripe's page needs to know of us: a currency, and where to come back to."""

from django.conf import settings
from django.urls import reverse

from billing.models import Contract
from tenants.models import Organization

CURRENCY_WITHOUT_CONTRACT = "EUR"


def currency_of(organization: Organization) -> str:
    """The currency of the tenant's latest contract; Stripe asks for one to choose which means of payment to offer."""
    latest = Contract.objects.filter(tenant=organization).order_by("-created_at").first()
    return latest.currency if latest else CURRENCY_WITHOUT_CONTRACT


def return_url() -> str:
    """Where Stripe sends a visitor back to."""
    return f"{settings.PUBLIC_URL}{reverse('tenant-card')}"
