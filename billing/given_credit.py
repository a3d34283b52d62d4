"""What a provider has given or sold of prepaid credit: every grant of its contracts with what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from billing.models import Contract, Term
from billing.money import round_to_minor
from billing.rating.rated import TermKind
from billing.standing import standing_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from tenants.models import Organization

CONTRACTS_MAX: Final = 200
"""Each contract's standing is worked out anew; a list of more is looked at contract by contract."""


class GrantState(StrEnum):
    """Where a grant stands."""

    OPEN = "open"
    AHEAD = "ahead"
    USED_UP = "used_up"
    EXPIRED = "expired"
    OWED = "owed"


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A grant with what is left after everything used so far, rounded to the currency's minor unit."""

    contract: str
    tenant: str
    term: str
    name: str
    currency: str
    amount: Decimal
    left: Decimal
    from_at: datetime
    expires_at: datetime | None
    priority: int
    bought: bool
    state: GrantState


def given_grants(provider: Organization, now: datetime) -> list[GivenGrant]:
    """Return every grant of a provider's contracts, by tenant and contract, those to be drawn first before others."""
    contracts = (
        Contract.objects.filter(provider=provider, terms__kind=TermKind.CREDIT, from_at__lte=now)
        .select_related("tenant")
        .distinct()
        .order_by("tenant__name", "number")
    )
    found = []
    for contract in contracts[:CONTRACTS_MAX]:
        standing = standing_of(contract, now)
        for one in standing.grants:
            grant = one.grant
            left = round_to_minor(one.left_amount, contract.currency)
            found.append(
                GivenGrant(
                    contract=contract.number,
                    tenant=contract.tenant.name,
                    term=one.term_ref,
                    name=grant.name,
                    currency=contract.currency,
                    amount=round_to_minor(grant.amount, contract.currency),
                    left=left,
                    from_at=grant.from_at,
                    expires_at=grant.expires_at,
                    priority=grant.priority,
                    bought=grant.bought,
                    state=_state(left, grant.from_at, grant.expires_at, now),
                )
            )
    return found


def credit_terms(provider: Organization) -> list[Term]:
    """Return the credit terms of a provider's contracts, which grants can be made under, by tenant."""
    found = Term.objects.filter(contract__provider=provider, kind=TermKind.CREDIT).select_related("contract__tenant")
    return list(found.order_by("contract__tenant__name", "contract__number", "ref"))


def _state(left: Decimal, from_at: datetime, expires_at: datetime | None, now: datetime) -> GrantState:
    if left < 0:
        return GrantState.OWED
    if expires_at is not None and expires_at <= now:
        return GrantState.EXPIRED
    if not left:
        return GrantState.USED_UP
    return GrantState.AHEAD if from_at > now else GrantState.OPEN
