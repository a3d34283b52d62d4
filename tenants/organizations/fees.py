"""The operator's fees of providers: in force, announced, and set for now or for a day to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from tenants.fee_models import ProviderFee
from tenants.models import Organization
from tenants.organizations.changing import WrongOrganization, audit
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.actors import Actor

FEE_MAX: Final = Decimal(100)
AHEAD_MAX: Final = timedelta(days=2 * 366)
"""How far ahead a fee is announced."""


@dataclass(frozen=True, slots=True)
class FeeStanding:
    """What counts for a provider now, since when (None: since it was made), and what is announced, the next first."""

    organization: Organization
    fee_percent: Decimal
    since: datetime | None
    announced: tuple[ProviderFee, ...]


def fee_at(organization: Organization, at: datetime) -> Decimal:
    """Return the fee that counts for a contract that a provider makes at an instant, in percent."""
    found = organization.fees.filter(from_at__lte=at).order_by("-from_at", "-set_at", "-pk").first()
    return Decimal(found.fee_percent if found else organization.fee_percent)


def with_fee(found: QuerySet[Organization], now: datetime) -> QuerySet[Organization]:
    """Return organizations with `fee_now`, the fee that counts for their contracts now."""
    set_last = ProviderFee.objects.filter(organization=OuterRef("pk"), from_at__lte=now).order_by(
        "-from_at", "-set_at", "-pk"
    )
    return found.annotate(fee_now=Coalesce(Subquery(set_last.values("fee_percent")[:1]), "fee_percent"))


def fees_of(organization: Organization | None = None) -> QuerySet[ProviderFee]:
    """Return the fees that were set, of one provider or of all, the latest first."""
    found = ProviderFee.objects.select_related("organization").order_by("-from_at", "-set_at", "-pk")
    return found if organization is None else found.filter(organization=organization)


def standings(now: datetime, organization: Organization | None = None) -> list[FeeStanding]:
    """Return where the fees of all providers stand, or of one, by name; two queries."""
    providers = Organization.objects.filter(is_provider=True).order_by("name", "pk")
    if organization is not None:
        providers = providers.filter(pk=organization.pk)
    rows: dict[UUID, list[ProviderFee]] = {}
    for fee in fees_of(organization):
        rows.setdefault(fee.organization_id, []).append(fee)
    return [_standing(provider, rows.get(provider.pk, []), now) for provider in providers]


def _standing(provider: Organization, latest_first: list[ProviderFee], now: datetime) -> FeeStanding:
    past = [fee for fee in latest_first if fee.from_at <= now]
    counting = {fee.from_at: fee for fee in reversed(latest_first) if fee.from_at > now}
    ahead = tuple(counting[at] for at in sorted(counting))
    if not past:
        return FeeStanding(provider, Decimal(provider.fee_percent), None, ahead)
    return FeeStanding(provider, Decimal(past[0].fee_percent), past[0].from_at, ahead)


@transaction.atomic
def set_fee(
    *, actor: Actor, organization_id: UUID, fee_percent: Decimal, now: datetime, from_at: datetime | None = None
) -> ProviderFee | None:
    """Set the operator's part of what a provider bills under contracts that are made from an instant on, or from now.

    Contracts that there are keep theirs. What counts then anyway is no change, and None. Raises DoesNotExist and
    `WrongOrganization` with the field.
    """
    if not fee_percent.is_finite() or not 0 <= fee_percent <= FEE_MAX or fee_percent != round(fee_percent, 4):
        raise WrongOrganization(
            sentence(
                "fee_percent: found %(fee_percent)s, expected 0 to 100 with at most 4 decimals.",
                fee_percent=fee_percent,
            ),
            field="fee_percent",
        )
    start = now if from_at is None else from_at
    if not now <= start <= now + AHEAD_MAX:
        raise WrongOrganization(
            sentence("from_at: found %(start)s, expected a time to come, within two years.", start=start.isoformat()),
            field="from_at",
            example=(now + timedelta(days=30)).date().isoformat(),
        )
    kept = Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    if not kept.is_provider:
        raise WrongOrganization(
            sentence("%(name)s is no provider and pays no fee.", name=kept.name), field="fee_percent"
        )
    before = fee_at(kept, start)
    if before == fee_percent:
        return None
    made = ProviderFee.objects.create(
        organization=kept, fee_percent=fee_percent, from_at=start, set_by=actor.name, set_at=now
    )
    told: list[dict[str, str]] = [{"fee_percent": f"{value.normalize():f}"} for value in (before, fee_percent)]
    if from_at is not None:
        told[1]["from_at"] = start.isoformat()
    audit(kept, actor, "organization.fee_set" if from_at is None else "organization.fee_announced", now, *told)
    return made
