"""The rows of a sheet: a day of each model and lease, and of each caller, with its part of the rounded line."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby, pairwise
from operator import itemgetter
from zoneinfo import ZoneInfo

import msgspec

from billing.basis import PeriodBasis
from billing.flat_shares import FlatLine
from billing.money import exact_sum, from_minor, largest_remainder, round_to_minor
from billing.queries.usage import RatedUsage
from billing.rating.by_day import day_in
from billing.rating.kinds import kind_of
from billing.rating.lines import Bill, InvoiceLine
from billing.rating.rated import RatedLine, TermKind
from billing.token_counts import TokenCounts


class SheetRow(msgspec.Struct, frozen=True):
    """A day of one model or of one lease, of one caller where the sheet tells them apart.

    `key_id` and `project` (a slug) are empty for what no key is known of. `exact_amount` is unrounded. `amount` is the
    day's part of the rounded line, so that the rows of a sheet sum to its total to the cent; a part is at most one
    minor unit away from the exact amount.
    """

    day: date
    contract: str
    term_ref: str
    kind: str
    model: str
    tokens: TokenCounts
    gpu_seconds: Decimal
    exact_amount: Decimal
    amount: Decimal
    key_id: str = ""
    project: str = ""


def rows_of(usage: RatedUsage, bills: Sequence[Bill], zone: str) -> tuple[SheetRow, ...]:
    """Return the rows of a sheet of everything, by days of a zone and in order; `bills` are those of the ratings."""
    found = _rows(usage, bills, day_in(ZoneInfo(zone)))
    return tuple(sorted(found, key=lambda row: (row.day, row.kind, row.model, row.term_ref, row.key_id, row.project)))


DayOf = Callable[[datetime], date]
_NOTHING = Decimal(0)
_Key = tuple[str, str, date, str]
"""Term, model, day, caller."""


def _rows(usage: RatedUsage, bills: Iterable[Bill], day_of: DayOf) -> Iterator[SheetRow]:
    for part, bill in zip(usage.parts, bills, strict=True):
        basis = part.basis
        for flat in part.flat:
            yield from _flat_rows(basis, flat, usage.currency)
        counts = _counts(basis, day_of)
        seen: set[_Key] = set()
        for line in bill.lines:
            for day, caller, row in _line_rows(basis, line, counts, day_of, usage.currency):
                seen.add((row.term_ref, row.model, day, caller))
                yield row
        for key, tokens in counts.items():
            if key not in seen:
                yield _unpriced_row(basis, key, tokens, usage.currency)


def _line_rows(
    basis: PeriodBasis,
    line: InvoiceLine,
    counts: dict[_Key, TokenCounts],
    day_of: DayOf,
    currency: str,
) -> Iterator[tuple[date, str, SheetRow]]:
    by_day: dict[date, dict[str, list[RatedLine]]] = defaultdict(lambda: defaultdict(list))
    for subline in line.sublines:
        by_day[day_of(subline.from_at)][subline.caller].append(subline)
    days = sorted(by_day)
    exact = [[exact_sum(one.amount for one in by_day[day][caller]) for caller in sorted(by_day[day])] for day in days]
    kind = line.sublines[0].term_kind
    is_lease = kind is TermKind.LEASE
    # First by day and then by caller, so that a day comes to the same whether its callers are told apart or not.
    for day, callers, amount in zip(days, exact, _parts(line.amount, map(exact_sum, exact), currency), strict=True):
        for caller, exact_amount, part in zip(
            sorted(by_day[day]), callers, _parts(amount, callers, currency), strict=True
        ):
            key_id, _bar, project = caller.partition("|")
            known = counts.get((line.term_ref, line.model, day, caller), TokenCounts())
            quantity = exact_sum(one.quantity for one in by_day[day][caller]) if is_lease else Decimal(0)
            row = SheetRow(
                day=day,
                contract=basis.contract,
                term_ref=line.term_ref,
                kind=kind,
                model=line.model,
                tokens=TokenCounts() if is_lease else known,
                gpu_seconds=quantity,
                exact_amount=exact_amount,
                amount=part,
                key_id=key_id,
                project=project,
            )
            yield day, caller, row


def _flat_rows(basis: PeriodBasis, line: FlatLine, currency: str) -> Iterator[SheetRow]:
    """The same of a flat share, as `_line_rows` shares the line out."""
    by_day = {day: list(its) for day, its in groupby(sorted(line.amounts), key=itemgetter(0))}
    exact = [[line.amounts[about] for about in its] for its in by_day.values()]
    whole = round_to_minor(line.exact_amount, currency)
    for its, amounts, amount in zip(
        by_day.values(), exact, _parts(whole, map(exact_sum, exact), currency), strict=True
    ):
        for about, exact_amount, part in zip(its, amounts, _parts(amount, amounts, currency), strict=True):
            day, caller = about
            key_id, _bar, project = caller.partition("|")
            yield SheetRow(
                day=day,
                contract=basis.contract,
                term_ref=line.term_ref,
                kind=TermKind.TOKEN_SHARE,
                model=line.model,
                tokens=line.tokens[about],
                gpu_seconds=_NOTHING,
                exact_amount=exact_amount,
                amount=part,
                key_id=key_id,
                project=project,
            )


def _parts(amount: Decimal, exact: Iterable[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Share an amount out by what it consists of; a sum of nothing stands whole in its first part."""
    found = list(exact)
    if len(found) > 1 and any(found):
        return _shared_out(amount, found, currency)
    return (amount, *(from_minor(0, currency) for _ in found[1:]))


def _shared_out(amount: Decimal, exact: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Share a line's amount out by its days; what is taken off is shared out like what is owed."""
    sign = -1 if min(exact) < 0 else 1
    if min(exact) >= 0 or max(exact) <= 0:
        return tuple(
            sign * part for part in largest_remainder(sign * amount, [sign * each for each in exact], currency)
        )
    # Days of both signs: each has what it adds to the rounded sum of all before it.
    sums = [round_to_minor(exact_sum(exact[: place + 1]), currency) for place in range(len(exact) - 1)]
    return tuple(after - before for before, after in pairwise([from_minor(0, currency), *sums, amount]))


def _unpriced_row(basis: PeriodBasis, key: _Key, tokens: TokenCounts, currency: str) -> SheetRow:
    """Usage without any price still shows its tokens; the notice above it says that it is not charged yet."""
    term_ref, model, day, caller = key
    key_id, _bar, project = caller.partition("|")
    zero = Decimal(0)
    return SheetRow(
        day=day,
        contract=basis.contract,
        term_ref=term_ref,
        kind=next(kind_of(term) for term in basis.terms if term.ref == term_ref),
        model=model,
        tokens=tokens,
        gpu_seconds=zero,
        exact_amount=zero,
        amount=from_minor(0, currency),
        key_id=key_id,
        project=project,
    )


def _counts(basis: PeriodBasis, day_of: DayOf) -> dict[_Key, TokenCounts]:
    sums: dict[_Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for term, usage in basis.tokens():
        key = (term.ref, usage.model, day_of(usage.from_at), usage.caller)
        sums[key][usage.quantity] += usage.count
    return {key: TokenCounts(**counts) for key, counts in sums.items()}
