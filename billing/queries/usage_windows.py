"""Which billing periods lie in a time that a page shows: each is rated as the period it is, or as the part of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet

from billing.basis import PeriodBasis
from billing.models import Contract, ContractState
from billing.periods import Period, PeriodKind, PeriodSpec, next_period, period_containing
from billing.rating.kinds import kind_of_wording
from billing.rating.rated import TermKind
from billing.rating.wording import Wording
from billing.usage_spans import Window
from tenants.limits.written_once import written_once
from tenants.models import Organization

PERIODS_MAX: Final = 100
"""Of one contract in a time shown; with more, the time is rated as one."""
BY_PERIOD: Final = frozenset({TermKind.COMMITMENT, TermKind.CREDIT, TermKind.DISCOUNT})
_WORDS: Final = ("tier", "per_period", "per_month", "minimum", "cap_", "guarantee", "allowance", "package")


def contracts_within(
    from_at: datetime, to_at: datetime, party: Mapping[str, Organization], contract_id: UUID | None = None
) -> list[Contract]:
    """Return a party's contracts that are agreed and touch a time, or that one of them, the earliest first.

    `party` is as what it is in them (`tenant`, `provider`) and who.
    """
    of_party = {side: organization.pk for side, organization in party.items()}
    return _agreed(from_at, to_at, of_party.get("tenant"), of_party.get("provider"), contract_id)


@written_once
def _agreed(
    from_at: datetime, to_at: datetime, tenant: UUID | None, provider: UUID | None, contract: UUID | None
) -> QuerySet[Contract]:
    said = {"tenant": tenant, "provider": provider, "pk": contract}
    found = Contract.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at),
        from_at__lt=to_at,
        **{name: value for name, value in said.items() if value is not None},
    )
    return found.exclude(state__in=(ContractState.DRAFT, ContractState.OFFERED)).order_by("from_at", "pk")


def touches(contract: Contract, from_at: datetime, to_at: datetime) -> bool:
    """Whether a contract holds at some instant of a time."""
    return contract.from_at < to_at and (contract.to_at is None or contract.to_at > from_at)


def windows_of(contract: Contract, from_at: datetime, to_at: datetime) -> list[Window]:
    """Return `[from_at, to_at)` of a contract as parts of its billing periods, in order; the contract meets that time.

    A part knows the end and length of its period: what is agreed per period is prorated by it, and what only a
    period's end can tell is rated in a part that reaches the end.
    """
    start = max(from_at, contract.from_at)
    end = to_at if contract.to_at is None else min(to_at, contract.to_at)
    spec = _spec(contract)
    found: list[Window] = []
    period: Period | None = period_containing(spec, start)
    while period is not None and period.from_at < end:
        if len(found) == PERIODS_MAX:
            return [Window(contract, start, end)]
        low, high = max(start, period.from_at), min(end, period.to_at)
        found.append(Window(contract, low, high, period.to_at, _whole_seconds(period, low)))
        period = next_period(spec, period)
    return found


def begins_inside(windows: Iterable[Window]) -> bool:
    """Whether a time shown begins inside a billing period of one of its contracts."""
    return any(
        window.period_to_at is None
        or window.from_at > period_containing(_spec(window.contract), window.from_at).from_at
        for window in windows
    )


def counts_by_period(bases: Iterable[PeriodBasis]) -> bool:
    """Whether an amount depends on how much a whole period holds: a tier, a minimum, an allowance, a balance."""
    return any(_by_period(stretch.wording) for basis in bases for term in basis.terms for stretch in term.stretches)


def _by_period(wording: Wording) -> bool:
    if kind_of_wording(wording) in BY_PERIOD:
        return True
    return any(
        getattr(wording, field.name) != field.default and any(word in field.name for word in _WORDS)
        for field in msgspec.structs.fields(type(wording))
    )


def _whole_seconds(period: Period, low: datetime) -> int | None:
    return None if period.is_whole and low == period.from_at else period.whole_seconds


def _spec(contract: Contract) -> PeriodSpec:
    return PeriodSpec(
        kind=PeriodKind(contract.period_kind),
        zone=contract.time_zone,
        starts_at=contract.from_at,
        ends_at=contract.to_at,
        length_s=contract.period_length_s,
    )
