"""Instants at which a contract's usage must be split before it is rolled up.

Usage is kept in UTC hours. What changes inside an hour (a price, a term, a billing period, a day in a time zone with
an offset of half an hour) is given to the rollup as a cut, so that each part of the hour can be rated by itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.models import BillingPeriod, Contract, PriceVersion, Term, TermDeployment
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
    bound = _bound([contract])
    ids = sorted({each[0] for each in bound[contract.pk]} if deployment_ids is None else set(deployment_ids))
    if ids:
        write_cuts(deployment_ids=ids, instants=_instants(contract, _read([contract], bound, None)))


def ensure_all_cuts(contracts: Sequence[Contract], *, terms: Iterable[Term] | None = None) -> None:
    """Do `ensure_cuts` for all deployments of contracts; `terms` are theirs, with wordings, where they were read."""
    bound = _bound(contracts)
    metered = [contract for contract in contracts if bound[contract.pk]]
    if not metered:
        return
    found = _read(metered, bound, terms)
    rows = [
        cut
        for contract in metered
        for cut in _cuts(sorted({each[0] for each in bound[contract.pk]}), _instants(contract, found))
    ]
    _store(rows)


def write_cuts(*, deployment_ids: Sequence[UUID], instants: Iterable[datetime]) -> None:
    """Store a cut at every instant that is not a full UTC hour, for every deployment."""
    _store(_cuts(deployment_ids, instants))


def _cuts(deployment_ids: Sequence[UUID], instants: Iterable[datetime]) -> list[UsageCut]:
    inside = sorted({at for at in instants if not is_full_hour(at)})
    return [UsageCut(deployment_id=deployment, at=at) for deployment in deployment_ids for at in inside]


def _store(cuts: Sequence[UsageCut]) -> None:
    UsageCut.objects.bulk_create(cuts, ignore_conflicts=True, batch_size=5_000)


def is_full_hour(at: datetime) -> bool:
    """Whether usage is split at the instant anyway."""
    return (at.minute, at.second, at.microsecond) == (0, 0, 0)


_Bound = Mapping[UUID, list[tuple[UUID, UUID, datetime, datetime | None]]]
"""By contract, with an entry for each that is asked for: deployment, term, and from when to when it is under it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the instants of contracts are taken from: by contract its periods, terms and bindings, by book its steps."""

    periods: Mapping[UUID, list[tuple[datetime, datetime]]]
    terms: Mapping[UUID, list[Term]]
    bound: _Bound
    effective: Mapping[UUID, set[datetime]]
    ruled: Collection[UUID]


def _bound(contracts: Iterable[Contract]) -> _Bound:
    bound: dict[UUID, list[tuple[UUID, UUID, datetime, datetime | None]]] = defaultdict(list)
    bindings = TermDeployment.objects.filter(term__contract__in=[contract.pk for contract in contracts])
    columns = ("term__contract_id", "deployment_id", "term_id", "from_at", "to_at")
    for contract_id, deployment_id, term_id, from_at, to_at in bindings.values_list(*columns):
        bound[contract_id].append((deployment_id, term_id, from_at, to_at))
    return bound


def _read(contracts: Sequence[Contract], bound: _Bound, terms: Iterable[Term] | None) -> _Found:
    ids = [contract.pk for contract in contracts]
    of_contract: dict[UUID, list[Term]] = defaultdict(list)
    for term in terms_of(ids) if terms is None else terms:
        of_contract[term.contract_id].append(term)
    periods: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    rows = BillingPeriod.objects.filter(contract__in=ids)
    for contract_id, from_at, to_at in rows.values_list("contract_id", "from_at", "to_at"):
        periods[contract_id].append((from_at, to_at))
    effective: dict[UUID, set[datetime]] = defaultdict(set)
    books = {contract.price_book_id for contract in contracts if contract.price_book_id is not None}
    for book_id, at in PriceVersion.objects.filter(book__in=books).values_list("book_id", "effective_at"):
        effective[book_id].add(at)
    ruled = {one for one, its in of_contract.items() if any(term.kind == TermKind.PRICE_RULE for term in its)}
    return _Found(periods, of_contract, bound, effective, ruled)


def _instants(contract: Contract, found: _Found) -> set[datetime]:
    instants: set[datetime | None] = {contract.from_at, contract.to_at}
    bound, terms, periods = found.bound[contract.pk], found.terms[contract.pk], found.periods[contract.pk]
    for _, _, from_at, to_at in bound:
        instants |= {from_at, to_at}
    # What a term says changes where a wording begins, and it ends where one without a document does.
    metered = {term_id for _, term_id, _, _ in bound}
    # A percentage off divides what it is taken off where it begins, changes and ends.
    metered |= {term.pk for term in terms if term.kind == TermKind.DISCOUNT}
    instants |= {wording.from_at for term in terms if term.pk in metered for wording in term.in_words}
    for from_at, to_at in periods:
        instants |= {from_at, to_at, *day_starts(from_at, to_at, contract.time_zone)}
    if contract.price_book_id is not None:
        instants |= found.effective[contract.price_book_id]
    if periods:
        reach = min(from_at for from_at, _ in periods), max(to_at for _, to_at in periods)
        if contract.pk in found.ruled:
            instants |= _of_rules(contract, *reach)
        instants |= _of_terms(contract, terms, *reach)
    return {at for at in instants if at is not None}


def _of_rules(contract: Contract, from_at: datetime, to_at: datetime) -> set[datetime]:
    """Return when prices change for the contract by its own rules within `[from_at, to_at)`."""
    rules = rules_of({contract.id})
    if not rules:
        # Its prices change when its book's do, and nowhere else.
        return set()
    [versions] = window_versions([(contract, from_at, to_at)], rules=rules)
    return {version.effective_at for version in versions}


def _of_terms(contract: Contract, terms: Iterable[Term], from_at: datetime, to_at: datetime) -> set[datetime]:
    """Return where single wordings tell usage apart: at contract years, say, or at steps of a schedule."""
    return {
        at
        for term in terms
        if (cuts := KINDS[TermKind(term.kind)].cuts) is not None
        for stretch in term.stretches(from_at, to_at)
        for at in cuts(stretch.wording, term.from_at, contract.time_zone, stretch.from_at, stretch.to_at)
    }
