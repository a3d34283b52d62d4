"""What both parties of token shares read of refunds, findings of audits and held differences, over all contracts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from billing.models import BillingPeriod, PeriodState, Term, TermDeployment, TermFact
from billing.queries.revenue import HeldRow, held_in
from billing.rating.rated import TermKind
from billing.terms import with_wordings
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

Side = Literal["tenant", "provider"]
OWN_SHARES: Final = "each is of a contract that names the reader as its party"
PERIODS_MAX: Final = 60
"""How many billing periods a form offers, the latest first."""


@dataclass(frozen=True, slots=True)
class SharePeriod:
    """A billing period in which a share was in force: what a refund or a finding can be stated of."""

    term: Term
    period: BillingPeriod

    @property
    def key(self) -> str:
        """The name of it in a form."""
        return f"{self.term.ref} {self.period.from_at.isoformat()}"


def shares_of(organization: Organization, side: Side) -> QuerySet[Term]:
    """Return the token shares of the contracts in which an organization is this side."""
    own = {f"contract__{side}": organization}
    return Term.objects.filter(kind=TermKind.TOKEN_SHARE, **own).select_related(
        "contract__provider", "contract__tenant"
    )


def facts_of(organization: Organization, side: Side, kind: str) -> QuerySet[TermFact]:
    """Return what was stated of an organization's shares by one kind of fact, the latest first."""
    found = TermFact.objects.filter(term__in=shares_of(organization, side), document__fact=kind)
    return found.select_related("term__contract__provider", "term__contract__tenant").order_by("-recorded_at", "-pk")


def share_periods(organization: Organization, side: Side, state: PeriodState, now: datetime) -> list[SharePeriod]:
    """Return what can be chosen: shares with their periods of one state that have begun, the latest first."""
    shares = shares_of(organization, side)
    with within_own(organization.pk, OWN_SHARES):
        periods = list(
            BillingPeriod.objects.filter(
                contract__in=shares.order_by().values("contract"), state=state, from_at__lte=now
            ).order_by("-from_at", "contract__number")[:PERIODS_MAX]
        )
        # Of the contracts of these alone: a large provider has a thousand, each with its wordings.
        terms = list(with_wordings(shares.filter(contract__in={period.contract_id for period in periods})))
    return [
        SharePeriod(term, period)
        for period in periods
        for term in sorted(terms, key=lambda one: one.ref)
        if term.contract_id == period.contract_id and term.stretches(period.from_at, period.to_at)
    ]


def deployments_of(
    organization: Organization, side: Side, only: Collection[UUID] | None = None
) -> list[TermDeployment]:
    """Return the deployments under an organization's shares, `only` those of some ids, one row for each, by name."""
    found = TermDeployment.objects.filter(term__in=shares_of(organization, side)).select_related("deployment")
    if only is not None:
        found = found.filter(deployment__in=only)
    with within_own(organization.pk, OWN_SHARES):
        once = {row.deployment_id: row for row in found}
    return sorted(once.values(), key=lambda row: (row.deployment.name, str(row.deployment_id)))


def held_of(organization: Organization, side: Side, now: datetime) -> Sequence[HeldRow]:
    """Return the differences of witnesses that are held of an organization's shares, the latest first."""
    with within_own(organization.pk, OWN_SHARES):
        return held_in(set(shares_of(organization, side).values_list("contract_id", flat=True)), now)
