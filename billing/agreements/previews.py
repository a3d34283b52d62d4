"""What a proposal would have cost last month: the real usage of a period, rated by its terms and by the new ones.

New terms count as if they had held for the whole period: their slices as held throughout, their deployments with what
they made. The same functions rate it that charge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid5

from billing.agreements.already_used import AlreadyUsed, already_used
from billing.agreements.proposals import Change
from billing.agreements.words import Difference, differences
from billing.bases import read_basis, read_usage, window_of
from billing.basis import PeriodBasis, rate
from billing.models import BillingPeriod, Contract, Term, TermDeployment
from billing.money import exact_sum, from_minor
from billing.price_rules import rules_of, window_versions
from billing.rating.inputs import TermInput, Used
from billing.rating.kinds import KINDS
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.lines import Bill, make_bill
from billing.rating.price_rules import FLOAT, PriceRule
from billing.rating.rated import TermKind
from billing.rating.wording import FOREVER, Stretch, Wording
from billing.terms import terms_of
from billing.usage_spans import Span, Window, stretch_spans
from clusters.models import Slice
from clusters.occupancy import Hold

DAYS_WITHOUT_PERIODS = 30


@dataclass(frozen=True, slots=True)
class TermPreview:
    """One term: what it says differently, and its lines of the period before and after, in the contract's currency.

    `deposit` is how much of the difference is a deposit asked for or given back, which is no price of anything.
    """

    ref: str
    title: str
    kind: str
    from_at: datetime | None
    to_at: datetime | None
    is_new: bool
    ends: bool
    words: tuple[Difference, ...]
    wordings: tuple[Wording | None, Wording | None]
    before: Decimal
    after: Decimal
    deposit: Decimal = Decimal(0)
    already_used: AlreadyUsed | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A proposal over `[from_at, to_at)`; terms that stay and cost the same are left out of `terms`.

    `unpriced` says whether usage would have had no price, so that the amounts are not all.
    """

    from_at: datetime
    to_at: datetime
    currency: str
    before: Decimal
    after: Decimal
    terms: tuple[TermPreview, ...]
    unpriced: bool

    @property
    def deposit(self) -> Decimal:
        """How much of the difference is deposits."""
        return exact_sum(term.deposit for term in self.terms)


def preview(contract: Contract, changes: Sequence[Change], now: datetime) -> Preview:
    """Return what a proposal changes in words and in money of the latest period that is over, else of the last days."""
    window = _window(contract, now)
    stored = {term.ref: term for term in terms_of([contract.pk])}
    basis = read_basis(window, summed=True)
    proposed = _proposed(_ruled(basis, window, changes), window, stored, changes)
    before, after = rate(basis), rate(proposed)
    old, new = make_bill(before.lines, contract.currency), make_bill(after.lines, contract.currency)
    zero = from_minor(0, contract.currency)
    by_ref = {change.ref: change for change in changes}
    titles = {term.ref: term.title for term in (*basis.terms, *proposed.terms)}
    rows = []
    for ref in sorted({*by_ref, *titles, contract.number}):
        was, is_now = _amounts(old, ref, zero), _amounts(new, ref, zero)
        change = by_ref.get(ref)
        if change is not None or was != is_now:
            row = _row(ref, titles.get(ref, ""), change, stored.get(ref), (was, is_now))
            rows.append(replace(row, already_used=already_used(contract, *row.wordings, now)))
    return Preview(
        from_at=window.from_at,
        to_at=window.to_at,
        currency=contract.currency,
        before=old.total,
        after=new.total,
        terms=tuple(rows),
        unpriced=bool(after.unpriced),
    )


def wording_before(term: Term | None, at: datetime) -> Wording | None:
    """Return what a term says at an instant, None where it says nothing."""
    stretches = term.stretches() if term else ()
    return next((each.wording for each in reversed(stretches) if each.from_at <= at), None)


class _Amounts(NamedTuple):
    """What the lines of a term come to, and the part of it that is a deposit asked for or given back."""

    whole: Decimal
    deposit: Decimal


def _amounts(bill: Bill, ref: str, zero: Decimal) -> _Amounts:
    lines = [line for line in bill.lines if line.term_ref == ref]
    return _Amounts(
        exact_sum((zero, *(line.amount for line in lines))),
        exact_sum((zero, *(line.amount for line in lines if line.sublines[0].rule in DEPOSIT_RULES))),
    )


def _row(
    ref: str, title: str, change: Change | None, term: Term | None, amounts: tuple[_Amounts, _Amounts]
) -> TermPreview:
    wordings = (wording_before(term, change.from_at), change.wording) if change is not None else (None, None)
    return TermPreview(
        ref=ref,
        title=(change.title if change else "") or title,
        kind=str(change.kind) if change else (term.kind if term else ""),
        from_at=change.from_at if change else None,
        to_at=change.to_at if change else None,
        is_new=change is not None and change.is_new,
        ends=change is not None and change.wording is None,
        words=differences(*wordings),
        wordings=wordings,
        before=amounts[0].whole,
        after=amounts[1].whole,
        deposit=exact_sum((amounts[1].deposit, -amounts[0].deposit)),
    )


def _window(contract: Contract, now: datetime) -> Window:
    period = BillingPeriod.objects.filter(contract=contract, to_at__lte=now).order_by("-to_at").first()
    if period is not None:
        period.contract = contract
        return window_of(period)
    to_at = now.replace(minute=0, second=0, microsecond=0)
    return Window(contract, to_at - timedelta(days=DAYS_WITHOUT_PERIODS), to_at)


def _ruled(basis: PeriodBasis, window: Window, changes: Sequence[Change]) -> PeriodBasis:
    """The basis at the prices that a proposed price rule makes, as if it had held from the window's start on."""
    rules = [change for change in changes if change.kind is TermKind.PRICE_RULE]
    if not rules:
        return basis
    contract = window.contract
    rule = next((change.wording for change in rules if isinstance(change.wording, PriceRule)), FLOAT)
    before = [each for each in rules_of([contract.pk]).get(contract.pk, ()) if each.from_at < window.from_at]
    earlier = [replace(each, to_at=min(each.to_at, window.from_at)) for each in before]
    proposed = {contract.pk: [*earlier, Stretch(basis.contract_version + 1, window.from_at, FOREVER, rule)]}
    [versions] = window_versions([(contract, window.from_at, window.to_at)], rules=proposed)
    return read_basis(window, versions=versions, summed=True)


def _proposed(basis: PeriodBasis, window: Window, stored: dict[str, Term], changes: Sequence[Change]) -> PeriodBasis:
    known = {term.ref: term for term in basis.terms}
    usage = _usage(basis, window, stored, changes)
    terms = {ref: term for ref, term in known.items() if all(change.ref != ref for change in changes)}
    for change in changes:
        if change.wording is None:
            continue
        term = known.get(change.ref)
        holds = term.holds if term is not None and change.slices is None else _holds(change.slices or (), window)
        terms[change.ref] = TermInput(
            ref=change.ref,
            title=change.title,
            from_at=window.from_at,
            to_at=None,
            stretches=(_stretch(change.wording, basis),),
            holds=holds,
            usage=usage.get(change.ref, ()),
            facts=term.facts if term is not None else (),
        )
    return replace(basis, terms=tuple(terms[ref] for ref in sorted(terms)))


def _stretch(wording: Wording, basis: PeriodBasis) -> Stretch[Wording]:
    return Stretch(basis.contract_version + 1, basis.from_at, basis.window.period_to_at, wording)


def _usage(
    basis: PeriodBasis, window: Window, stored: dict[str, Term], changes: Iterable[Change]
) -> dict[str, tuple[Used, ...]]:
    """What the deployments made that are under a changed term, or would come under it."""
    ids: dict[UUID, str] = {}
    spans: list[Span] = []
    for change in changes:
        if change.wording is None or not KINDS[change.kind].quantities:
            continue
        term = stored.get(change.ref)
        term_id = term.id if term else uuid5(window.contract.id, change.ref)
        ids[term_id] = change.ref
        deployments = change.deployments
        if deployments is None:
            bound = TermDeployment.objects.filter(term_id=term_id).values_list("deployment_id", flat=True)
            deployments = tuple(bound.distinct())
        stretch = replace(_stretch(change.wording, basis), to_at=basis.to_at)
        for deployment in deployments:
            spans.extend(stretch_spans(stretch, (term_id, window.from_at), deployment, (0, window)))
    return {ids[term_id]: used for term_id, used in read_usage(basis, spans).items()} if spans else {}


def _holds(ids: Sequence[UUID], window: Window) -> tuple[Hold, ...]:
    slices = Slice.objects.filter(id__in=ids).select_related("accelerator").order_by("id")
    return tuple(
        Hold(
            str(each.id),
            each.share_permille,
            window.from_at,
            window.to_at,
            str(each.accelerator_id),
            each.accelerator.model,
        )
        for each in slices
    )
