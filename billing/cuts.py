"""Instants at which a contract's usage must be split before it is rolled up.

Usage is kept in UTC hours. What changes inside an hour (a price, a term, a billing period, a day in a time zone with
an offset of half an hour) is given to the rollup as a cut, so that each part of the hour can be rated by itself.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Min

from billing.models import BillingPeriod, Contract, PriceVersion, TermDeployment, TermWording
from billing.periods import day_starts
from billing.price_rules import rules_of, window_versions
from billing.rating.kinds import KINDS
from billing.rating.rated import TermKind
from billing.terms import terms_of
from metering.models import UsageCut


def ensure_cuts(*, contract: Contract, deployment_ids: Iterable[UUID] | None = None) -> None:
    """Store every cut that the contract needs and does not have yet, for all its deployments or the given ones.

    Must run in the transaction that stores what the cuts come from.
    """
    if deployment_ids is None:
        deployment_ids = TermDeployment.objects.filter(term__contract=contract).values_list("deployment_id", flat=True)
    ids = sorted(set(deployment_ids))
    if ids:
        write_cuts(deployment_ids=ids, instants=_instants(contract))


def write_cuts(*, deployment_ids: Sequence[UUID], instants: Iterable[datetime]) -> None:
    """Store a cut at every instant that is not a full UTC hour, for every deployment."""
    inside = sorted({at for at in instants if not is_full_hour(at)})
    UsageCut.objects.bulk_create(
        [UsageCut(deployment_id=deployment, at=at) for deployment in deployment_ids for at in inside],
        ignore_conflicts=True,
        batch_size=5_000,
    )


def is_full_hour(at: datetime) -> bool:
    """Whether usage is split at the instant anyway."""
    return (at.minute, at.second, at.microsecond) == (0, 0, 0)


def _instants(contract: Contract) -> set[datetime]:
    instants: set[datetime | None] = {contract.from_at, contract.to_at}
    bound = TermDeployment.objects.filter(term__contract=contract)
    for from_at, to_at in bound.values_list("from_at", "to_at"):
        instants |= {from_at, to_at}
    # What a term says changes where a wording begins, and it ends where one without a document does.
    wordings = TermWording.objects.filter(term__contract=contract, term__deployments__isnull=False)
    instants |= set(wordings.values_list("from_at", flat=True).distinct())
    periods = BillingPeriod.objects.filter(contract=contract)
    for from_at, to_at in periods.values_list("from_at", "to_at"):
        instants |= {from_at, to_at, *day_starts(from_at, to_at, contract.time_zone)}
    if contract.price_book_id is not None:
        versions = PriceVersion.objects.filter(book_id=contract.price_book_id)
        instants |= set(versions.values_list("effective_at", flat=True))
    reach = BillingPeriod.objects.filter(contract=contract).aggregate(from_at=Min("from_at"), to_at=Max("to_at"))
    if reach["from_at"] is not None:
        instants |= _of_rules(contract, reach["from_at"], reach["to_at"])
        instants |= _of_terms(contract, reach["from_at"], reach["to_at"])
    return {at for at in instants if at is not None}


def _of_rules(contract: Contract, from_at: datetime, to_at: datetime) -> set[datetime]:
    """Return when prices change for the contract by its own rules within `[from_at, to_at)`."""
    rules = rules_of({contract.id})
    if not rules:
        # Its prices change when its book's do, and nowhere else.
        return set()
    [versions] = window_versions([(contract, from_at, to_at)], rules=rules)
    return {version.effective_at for version in versions}


def _of_terms(contract: Contract, from_at: datetime, to_at: datetime) -> set[datetime]:
    """Return where single wordings tell usage apart: at contract years, say, or at steps of a schedule."""
    return {
        at
        for term in terms_of([contract.pk])
        if (cuts := KINDS[TermKind(term.kind)].cuts) is not None
        for stretch in term.stretches(from_at, to_at)
        for at in cuts(stretch.wording, term.from_at, contract.time_zone, stretch.from_at, stretch.to_at)
    }
