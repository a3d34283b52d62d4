"""The usage that models of payment are compared on: a contract's real one, or one that a prospect expects."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db.models import Sum

from billing.bases import Grain, read_basis
from billing.basis import BILLED_QUALITIES
from billing.economics.comparison import Profile, Terms, amount_of
from billing.models import Contract, ContractState, MarginRow
from billing.rating.inputs import RatingWindow, Used
from billing.rating.kinds import TOKEN_CLASSES
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.usage_spans import Window
from clusters.occupancy import Hold
from metering.fleet_figures import utilisation_while_held
from metering.models import UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from billing.basis import PeriodBasis
    from billing.rating.book import PriceVersion
    from tenants.models import Organization

GPUS_MAX: Final = 10_000
DEFAULT_SHARE: Final = Decimal(30)
FORECAST: Final = "forecast"


@dataclass(frozen=True, slots=True)
class RealUsage:
    """A contract's usage over a window, and what its terms say that can be compared with."""

    profile: Profile
    holds_are_real: bool
    cards: tuple[str, ...]
    share_percent: Decimal | None


def comparable_contracts(organization: Organization) -> QuerySet[Contract]:
    """Return the contracts an organization is a party of that have begun or are on offer, the latest first."""
    found = Contract.objects.for_org(organization).exclude(state=ContractState.DRAFT)
    return found.order_by("-from_at", "-pk")


def real_usage(
    contract: Contract, from_at: datetime, to_at: datetime, until: datetime, *, gpus: int | None = None, card: str = ""
) -> RealUsage:
    """Return what a contract's tenant used over `[from_at, until)` of the window `[from_at, to_at)`.

    Without usage under a term it is what the engines of the tenant's deployments at the provider counted. Without
    holds, or with `gpus` given, so many cards of a model are supposed to be held throughout; left open, as many as the
    tenant's GPU time there filled.
    """
    basis = read_basis(Window(contract, from_at, until, to_at), grain=Grain.PERIOD, summed=True)
    usage = tuple(used for term in basis.terms for used in term.usage) or _metered(contract, from_at, until)
    holds = tuple(hold for term in basis.terms for hold in term.holds)
    cards = _cards(basis.versions)
    utilisation = _utilisation(contract, holds, from_at, until) if holds else None
    is_real = bool(holds) and gpus is None
    if not is_real:
        chosen = card or next((hold.accelerator_model for hold in holds), next(iter(cards), ""))
        count = _gpus_used(contract, from_at, until) if gpus is None else gpus
        holds = supposed_holds(count, chosen, from_at, until)
    return RealUsage(
        profile=Profile(replace(basis.window, period_to_at=basis.window.to_at), usage, holds, utilisation),
        holds_are_real=is_real,
        cards=cards,
        share_percent=_share_percent(basis),
    )


def forecast(window: RatingWindow, model: str, tokens: Mapping[str, int], *, gpus: int, card: str) -> Profile:
    """Return the profile of a prospect that expects so many tokens of each class over a window, on so many cards."""
    usage = tuple(
        Used(FORECAST, model, quantity, "A", window.from_at, window.to_at, count)
        for quantity, count in tokens.items()
        if count
    )
    return Profile(window, usage, supposed_holds(gpus, card, window.from_at, window.to_at))


def terms_to_compare(
    profile: Profile,
    *,
    share_percent: Decimal | None = None,
    agreed_share: Decimal | None = None,
    price_per_gpu_hour: Decimal | None = None,
    rent: Decimal | None = None,
) -> Terms:
    """Fill in what was left open: the contract's share, else 30 percent, and half of the lease as a rent."""
    if rent is None:
        wording = LeaseWording(price_per_gpu_hour=price_per_gpu_hour)
        lease = amount_of(profile, wording) if profile.holds else None
        rent = Decimal(int((lease or 0) / 2))
    return Terms(share_percent or agreed_share or DEFAULT_SHARE, rent, price_per_gpu_hour)


def supposed_holds(gpus: int, card: str, from_at: datetime, to_at: datetime) -> tuple[Hold, ...]:
    """Return whole cards of a model, held throughout."""
    names = [f"{FORECAST}-{number}" for number in range(min(gpus, GPUS_MAX))] if from_at < to_at else []
    return tuple(Hold(name, 1000, from_at, to_at, name, card) for name in names)


def _metered(contract: Contract, from_at: datetime, until: datetime) -> tuple[Used, ...]:
    rows = (
        UsageHour.objects.filter(
            deployment__tenant=contract.tenant_id,
            deployment__provider=contract.provider_id,
            quantity__in=TOKEN_CLASSES,
            quality__in=BILLED_QUALITIES,
            from_at__gte=from_at,
            from_at__lt=until,
            witness__in=[Witness.ENGINE, Witness.GATEWAY],
        )
        .order_by()
        .values_list("deployment_id", "model", "quantity", "witness")
        .annotate(total=Sum("value"))
    )
    found: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for deployment, model, quantity, witness, total in rows:
        found[str(deployment), model, quantity][witness] = max(0, int(total))
    return tuple(
        Used(
            deployment, model, quantity, "A", from_at, until, counts.get(Witness.ENGINE, counts.get(Witness.GATEWAY, 0))
        )
        for (deployment, model, quantity), counts in sorted(found.items())
    )


def _cards(versions: Sequence[PriceVersion]) -> tuple[str, ...]:
    return tuple(sorted({card for version in versions for card in version.gpu_prices}))


def _utilisation(contract: Contract, holds: Sequence[Hold], from_at: datetime, until: datetime) -> Fraction | None:
    ids = {UUID(hold.card_ref) for hold in holds}
    found = utilisation_while_held(
        provider=contract.provider, from_at=from_at, to_at=until, accelerator_ids=sorted(ids)
    )
    return None if found is None else Fraction(found)


def _gpus_used(contract: Contract, from_at: datetime, until: datetime) -> int:
    """How many whole cards the tenant's GPU time at the provider would have filled, at least one if any."""
    last = max(from_at, until).date()
    used = MarginRow.objects.filter(
        provider=contract.provider_id, tenant=contract.tenant_id, day__gte=from_at.date(), day__lte=last
    ).aggregate(gpu_ms=Sum("gpu_ms"))["gpu_ms"]
    window_ms = int((until - from_at).total_seconds()) * 1000
    return -(-int(used or 0) // window_ms) if window_ms > 0 else 0


def _share_percent(basis: PeriodBasis) -> Decimal | None:
    wordings = [stretch.wording for term in basis.terms for stretch in term.stretches]
    shares = [one.share_percent for one in wordings if isinstance(one, TokenShareWording) and one.share_percent]
    return shares[-1] if shares else None
