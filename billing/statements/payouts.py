"""Payouts as providers and the operator read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.models import AccountKind, LedgerAccount, Payout, PayoutTerms
from billing.statements.available import Available, available
from billing.statements.gathering import OWED_KINDS
from tenants.limits.reader import within_own
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

PAYOUTS_MAX = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands in one currency."""

    provider: Organization
    terms: PayoutTerms
    found: Available


def payouts_of(organization: Organization) -> list[Payout]:
    """Return the latest payouts to a provider, or all that the operator made, the latest first."""
    found = Payout.objects.for_org(organization).select_related("provider", "statement").prefetch_related("reversals")
    return list(found.order_by("-created_at", "-pk")[:PAYOUTS_MAX])


def find_payout(organization: Organization, payout_id: UUID) -> Payout | None:
    """Return a payout that the organization may see, or None."""
    return Payout.objects.for_org(organization).select_related("provider", "statement").filter(pk=payout_id).first()


def terms_seen(provider: Organization) -> PayoutTerms:
    """Return how a provider is paid out: as it was set, or as it is where nothing was."""
    return PayoutTerms.objects.filter(pk=provider.pk).first() or PayoutTerms(provider=provider)


def standings_of(provider: Organization, now: datetime) -> list[Standing]:
    """Return how a provider stands in every currency of its book."""
    with within_own(provider.pk, "what a provider is owed, of its own book and of invoices that it issued"):
        return _standings(provider, now)


def _standings(provider: Organization, now: datetime) -> list[Standing]:
    accounts = LedgerAccount.objects.filter(organization=provider, kind__in=(*OWED_KINDS, AccountKind.STRIPE_CLEARING))
    terms = terms_seen(provider)
    return [
        Standing(provider, terms, available(terms=terms, currency=currency, now=now))
        for currency in sorted(set(accounts.values_list("currency", flat=True)))
    ]


def all_standings(now: datetime) -> list[Standing]:
    """Return how every provider but the operator stands."""
    providers = Organization.objects.filter(is_provider=True, is_operator=False).order_by("name", "pk")
    return [standing for provider in providers for standing in standings_of(provider, now)]
