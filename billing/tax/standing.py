"""What a provider says of its taxes, as its page and the API show it."""

from dataclasses import dataclass
from datetime import date

from billing.models import Contract, TaxExemption, TaxRate, TaxSettings
from billing.tax.deciding import rates_of, settings_of
from tenants.limits.reader import within_own
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class TaxStanding:
    """Settings in force, every rate that was entered (the last of a day counts), and certificates."""

    settings: TaxSettings
    rates: tuple[TaxRate, ...]
    exemptions: tuple[TaxExemption, ...]


def tax_standing(provider: Organization) -> TaxStanding:
    """Return what a provider says of its taxes; three queries."""
    exemptions = TaxExemption.objects.filter(provider=provider).select_related("tenant")
    return TaxStanding(
        settings_of(provider.pk), tuple(rates_of(provider)), tuple(exemptions.order_by("tenant__name", "from_on", "pk"))
    )


def tenants_of(provider: Organization) -> list[tuple[str, str]]:
    """Return the slug and the name of each organization that a provider has contracts with, by name."""
    found = Organization.objects.filter(id__in=Contract.objects.filter(provider=provider).values("tenant"))
    with within_own(provider.pk, "whom a provider has contracts with"):
        return list(found.order_by("name", "pk").values_list("slug", "name"))


def is_in_force(exemption: TaxExemption, on: date) -> bool:
    """Say whether a certificate holds on a day."""
    return exemption.from_on <= on and (exemption.to_on is None or on < exemption.to_on)
