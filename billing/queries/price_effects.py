"""What a list of prices would have made of the last 30 days: rated by the functions that charge, writing nothing.

Prepaid credit pays for use and is no part of what use costs: with it, a dearer price would seem to cost nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.bases import read_bases
from billing.basis import PeriodBasis, days_together, rate
from billing.models import RUNNING_STATES, Contract, ContractState, PriceBook, PriceNotice
from billing.money import exact_sum
from billing.price_rules import rules_of
from billing.price_versions import all_versions
from billing.rating.book import PriceVersion
from billing.rating.lines import make_bill
from billing.rating.price_lists import PriceChange, changes, prices_of
from billing.rating.price_rules import RuleStretches, contract_versions, takes_effect_at
from billing.rating.rated import RatedLine, TermKind, Unpriced
from billing.usage_spans import Window

LOOKED_BACK: Final = timedelta(days=30)
LOOKED_AHEAD: Final = timedelta(days=3_650)
_MOMENT: Final = timedelta(seconds=1)

About = tuple[str, str, int]
"""What a line is about: served or accelerator model, class of tokens or quantity, threshold of long requests."""


@dataclass(frozen=True, slots=True)
class ContractEffect:
    """A contract's last 30 days `[from_at, to_at)`: what they came to, and what they would have at the other prices.

    `takes_effect_at` is when the prices change for the contract, None where it keeps prices of its own. `changes` are
    the prices that then change, `used` those of them that something of the window was rated by. `by_price` are the
    differences, exactly. `unpriced` counts the prices of which more of the window than before would have none.
    """

    contract_id: UUID
    contract: str
    tenant_id: UUID
    tenant: str
    currency: str
    from_at: datetime
    to_at: datetime
    takes_effect_at: datetime | None
    before: Decimal
    after: Decimal
    changes: tuple[PriceChange, ...]
    used: tuple[PriceChange, ...]
    by_price: Mapping[About, Fraction]
    unpriced: int

    @property
    def difference(self) -> Decimal:
        """How much more the window would have come to."""
        return self.after - self.before


def effects_on_book(
    book: PriceBook, new: PriceVersion, *, now: datetime, versions: Sequence[PriceVersion] | None = None
) -> tuple[ContractEffect, ...]:
    """Return what a version of a book, published or only thought of, means for every running contract on it."""
    contracts = list(_running(new.effective_at).filter(price_book=book).order_by("tenant__name", "number"))
    return _effects(contracts, new, now, all_versions([book.id]).get(book.id, ()) if versions is None else versions)


def looked_at(contract: Contract, now: datetime) -> Window | None:
    """Return the last 30 days of a contract, up to the last whole hour; None where it had not begun."""
    to_at = now.replace(minute=0, second=0, microsecond=0)
    if contract.from_at >= to_at:
        return None
    return Window(contract, max(to_at - LOOKED_BACK, contract.from_at), to_at)


def effect_of_notice(notice: PriceNotice, *, now: datetime, basis: PeriodBasis | None = None) -> ContractEffect:
    """Return what an announced version means for the contract that a notice is about.

    `basis` is what the window that is `looked_at` is rated from, where it was read already.
    """
    versions = all_versions([notice.version.book_id])[notice.version.book_id]
    [new] = [each for each in versions if each.version_id == str(notice.version_id)]
    read = {} if basis is None else {notice.contract.id: basis}
    [effect] = _effects([notice.contract], new, now, versions, read)
    return effect


def _running(at: datetime) -> QuerySet[Contract]:
    return Contract.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=at), state__in=(*RUNNING_STATES, ContractState.OFFERED)
    ).select_related("tenant")


def _effects(
    contracts: Sequence[Contract],
    new: PriceVersion,
    now: datetime,
    versions: Sequence[PriceVersion],
    known_bases: Mapping[UUID, PeriodBasis] | None = None,
) -> tuple[ContractEffect, ...]:
    bases = dict(known_bases or {})
    left = (looked_at(one, now) for one in contracts if one.id not in bases)
    windows = [window for window in left if window is not None]
    read = read_bases(windows, summed=True) if windows else []
    bases |= {window.contract.id: basis for window, basis in zip(windows, read, strict=True)}
    rules = rules_of([one.id for one in contracts])
    known = [each for each in versions if each.version_id != new.version_id]
    found = []
    for contract in contracts:
        agreed = rules.get(contract.id, ())
        book = [*known, new]
        at = takes_effect_at(
            book, agreed, new.version_id, zone=contract.time_zone, until=new.effective_at + LOOKED_AHEAD
        )
        was, then = (
            _in_force(each, agreed, contract.time_zone, at or new.effective_at) if at else None
            for each in (known, book)
        )
        found.append(_effect(contract, bases.get(contract.id), at, was, then))
    return tuple(found)


def _in_force(book: Sequence[PriceVersion], agreed: RuleStretches, zone: str, at: datetime) -> PriceVersion | None:
    found = contract_versions(book, agreed, zone=zone, from_at=at, to_at=at + _MOMENT)
    return found[0] if found else None


def _effect(
    contract: Contract,
    basis: PeriodBasis | None,
    at: datetime | None,
    was: PriceVersion | None,
    then: PriceVersion | None,
) -> ContractEffect:
    before: Iterable[RatedLine] = ()
    after: Iterable[RatedLine] = ()
    unpriced = 0
    if basis is not None:
        # Nothing is said of single days.
        summed = days_together(basis)
        rated = rate(summed)
        before = after = _without_credit(rated.lines)
        if then is not None:
            versions = (replace(then, effective_at=basis.from_at),)
            again = rate(replace(summed, window=replace(basis.window, versions=versions)))
            after, unpriced = _without_credit(again.lines), _more_unpriced(rated.unpriced, again.unpriced)
    changed = changes(prices_of(was) if was else {}, prices_of(then) if then else {})
    about = {(line.model, line.token_class) for line in (*before, *after)}
    return ContractEffect(
        contract_id=contract.id,
        contract=contract.number,
        tenant_id=contract.tenant_id,
        tenant=contract.tenant.name,
        currency=contract.currency,
        from_at=basis.from_at if basis else contract.from_at,
        to_at=basis.to_at if basis else contract.from_at,
        takes_effect_at=at,
        before=make_bill(before, contract.currency).total,
        after=make_bill(after, contract.currency).total,
        changes=changed,
        used=tuple(change for change in changed if (change.key.model, change.key.quantity) in about),
        by_price=_differences(before, after),
        unpriced=unpriced,
    )


def _without_credit(lines: Iterable[RatedLine]) -> tuple[RatedLine, ...]:
    return tuple(line for line in lines if line.term_kind is not TermKind.CREDIT)


def _more_unpriced(before: Iterable[Unpriced], after: Iterable[Unpriced]) -> int:
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for waiting, sign in ((before, -1), (after, 1)):
        for one in waiting:
            found[one.model, one.token_class] += sign * one.quantity
    return sum(quantity > 0 for quantity in found.values())


def _differences(before: Iterable[RatedLine], after: Iterable[RatedLine]) -> dict[About, Fraction]:
    found: dict[About, Fraction] = defaultdict(Fraction)
    for lines, sign in ((before, -1), (after, 1)):
        for line in lines:
            found[line.model, line.token_class, line.context_over] += sign * line.exact
    return {about: amount for about, amount in found.items() if amount}


def total_effect(effects: Iterable[ContractEffect]) -> tuple[Decimal, Decimal]:
    """Return what all contracts came to, and would have: contracts of one book are in one currency."""
    listed = list(effects)
    return exact_sum(one.before for one in listed), exact_sum(one.after for one in listed)
