"""What a billing period is rated from: terms, price versions, holds and usage, and nothing else.

A basis is data without a database, so that the same functions rate it when charging, on a page, and when an invoice
is recomputed from its evidence file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.lease import LeaseTerms, rate_lease
from billing.rating.rated import Rated
from billing.rating.token_share import CollectedBy, TokenShareTerms, UsageTotal, rate_token_share
from billing.rating.versions import version_in_force
from clusters.occupancy import Hold

BILLED_QUALITIES = ("A", "E", "S")
"""Actual, estimated and substituted usage bills; quarantined usage and gaps do not."""


@dataclass(frozen=True, slots=True)
class LeaseBasis:
    """A lease and what it held; `rate_per_gpu_hour` is None where the price book's price in force counts."""

    ref: str
    title: str
    rate_per_gpu_hour: Decimal | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one class, quality and band of requests, of a deployment in a stretch that no price change divides."""

    deployment: str
    model: str
    token_class: TokenClass
    quality: str
    from_at: datetime
    to_at: datetime
    tokens: int
    context_over: int = 0


@dataclass(frozen=True, slots=True)
class ShareBasis:
    """A token share and the usage of its deployments by the witness that bills."""

    ref: str
    title: str
    share_percent: Decimal
    collected_by: str
    witness: str
    usage: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class PeriodBasis:
    """Everything that decides what a contract owes for `[from_at, to_at)`."""

    contract: str
    contract_version: int
    currency: str
    zone: str
    from_at: datetime
    to_at: datetime
    versions: tuple[PriceVersion, ...]
    leases: tuple[LeaseBasis, ...]
    shares: tuple[ShareBasis, ...]


def rate(basis: PeriodBasis) -> Rated:
    """Rate the whole basis: a line per lease, price version and day, or per share, model, class, tier, version and day.

    Days are those of the contract's time zone; usage of an hour belongs to the day in which its stretch begins.
    """
    rated = Rated()
    days = day_starts(basis.from_at, basis.to_at, basis.zone)
    for lease in basis.leases:
        terms = LeaseTerms(lease.ref, basis.contract_version, lease.rate_per_gpu_hour, basis.versions)
        rated += rate_lease(terms, lease.holds, basis.from_at, basis.to_at, cut_at=days)
    for share in basis.shares:
        share_terms = TokenShareTerms(
            share.ref,
            basis.contract_version,
            share.share_percent,
            basis.versions,
            CollectedBy(share.collected_by),
        )
        rated += rate_token_share(share_terms, _usage_totals(basis, share))
    return rated


def day_starts(from_at: datetime, to_at: datetime, zone: str) -> list[datetime]:
    """Return the instants within `[from_at, to_at)` at which a day begins in the IANA zone, in UTC."""
    local = ZoneInfo(zone)
    day = from_at.astimezone(local).date()
    starts: list[datetime] = []
    while True:
        at = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        if at >= to_at:
            return starts
        if at >= from_at:
            starts.append(at)
        day += timedelta(days=1)


def _usage_totals(basis: PeriodBasis, share: ShareBasis) -> Iterator[UsageTotal]:
    zone = ZoneInfo(basis.zone)
    for usage in share.usage:
        version = version_in_force(basis.versions, usage.from_at)
        yield UsageTotal(
            usage_key=usage.from_at.astimezone(zone).date().isoformat(),
            model=usage.model,
            token_class=usage.token_class,
            price_version_id=version.version_id if version else None,
            quantity=usage.tokens,
            quality_mix={usage.quality: usage.tokens},
            from_at=usage.from_at,
            to_at=usage.to_at,
            context_over=usage.context_over,
        )
