"""A provider's statement as a canonical JSON document: what was earned, the waterfall of every term, what moved since.

All amounts are strings; above zero is owed to the provider. Amounts of rows are exact, those of terms and invoices are
rounded as the invoices were. `differences` proves a document from its own rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.canonical import Document
from billing.money import exact_sum, round_to_minor, to_charge, to_decimals
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.rated import TermKind
from billing.rating.share_statement import SECTION_OF, Section
from billing.rating.wording import plain

FORMAT = "forecourt-statement-1"
SALES = "sales"
DEPOSITS = "deposits"
EARNED_PARTS = ("deposit", "fee", "tax", "net")
MOVEMENTS = ("received", "moved", "paid_out")
OWED_PARTS = ("net", "tax", "deposit", *MOVEMENTS)
"""What closing is more than opening: all that was earned but for the operator's fee, and what moved."""
PERCENT_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Earned:
    """One posting by which the provider earned: an issued invoice, or prepaid credit that was drawn.

    `total` is what the tenant owes by it; it is `deposit` (the provider holds it for the tenant), `fee` (the
    operator's), `tax` (to be handed on) and `net` together.
    """

    kind: str
    number: str
    tenant: str
    contract: str
    from_at: datetime
    to_at: datetime
    booked_at: datetime
    total: Decimal
    deposit: Decimal
    fee: Decimal
    tax: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class Moved:
    """Any other movement on the provider's accounts: money that reached it, a correction, a payout.

    `amount` above zero is owed to it.
    """

    cause: str
    key: str
    memo: str
    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """What has one rule, model, class, tier, price and share of a term, on all its invoices together."""

    rule: str
    model: str
    token_class: str
    context_over: int
    unit: str
    unit_price: Decimal
    unit_price_unit: str
    share_percent: Decimal | None
    quantity: Decimal
    base: Decimal
    exact: Decimal


@dataclass(frozen=True, slots=True)
class TermPart:
    """A term's rows, and what its lines came to on the invoices: each line rounded once."""

    contract: str
    tenant: str
    term: str
    kind: str
    amount: Decimal
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the billing and the other witness counted of a contract's tokens, where there is another."""

    contract: str
    model: str
    token_class: str
    billed: int
    compared: int
    control: int
    tolerance_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Statement:
    """All that a statement says."""

    number: str
    provider: str
    currency: str
    month: date
    made_at: datetime
    opening: Decimal
    earned: Sequence[Earned]
    received: Sequence[Moved]
    moved: Sequence[Moved]
    paid_out: Sequence[Moved]
    terms: Sequence[TermPart]
    reconciliation: Sequence[Reconciled]
    missing: Sequence[Mapping[str, str]]

    @property
    def sums(self) -> dict[str, Decimal]:
        """The figures of the statement, each the sum of its rows."""
        sums = {name: exact_sum(getattr(one, name) for one in self.earned) for name in ("total", *EARNED_PARTS)}
        sums |= {name: exact_sum(one.amount for one in getattr(self, name)) for name in MOVEMENTS}
        sums["closing"] = exact_sum([self.opening, *(sums[name] for name in OWED_PARTS)])
        return sums


def make_document(statement: Statement) -> dict[str, Any]:
    """Return the document of a statement."""

    def money(amount: Decimal) -> str:
        return f"{round_to_minor(amount, statement.currency):f}"

    return {
        "format": FORMAT,
        "statement": {
            "number": statement.number,
            "provider": statement.provider,
            "currency": statement.currency,
            "month": f"{statement.month:%Y-%m}",
            "made_at": statement.made_at.isoformat(),
        },
        "opening": money(statement.opening),
        "totals": {name: money(amount) for name, amount in statement.sums.items()},
        "earned": [_earned(one, money) for one in statement.earned],
        **{name: [_moved(one, money) for one in getattr(statement, name)] for name in MOVEMENTS},
        "terms": [_term(one, money) for one in statement.terms],
        "reconciliation": [_reconciled(one) for one in statement.reconciliation],
        "missing": [dict(one) for one in statement.missing],
    }


def differences(document: Document) -> list[str]:
    """Return where a statement's figures are not what its own rows give."""
    try:
        return [
            *_sums_differ(document),
            *(wrong for one in document["earned"] for wrong in _earned_differs(one)),
            *(wrong for one in document["terms"] for wrong in _term_differs(one)),
        ]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [f"cannot be read: {type(error).__name__} {error}"]


def section_of(kind: str, rule: str) -> str:
    """Return the part of a term's waterfall that a rule stands in: one of a share's, `deposits`, or `sales`."""
    if kind == TermKind.TOKEN_SHARE:
        return str(SECTION_OF.get(rule, Section.ADJUSTMENTS))
    return DEPOSITS if rule in DEPOSIT_RULES else SALES


def _sums_differ(document: Document) -> Iterator[str]:
    totals = {name: Decimal(amount) for name, amount in document["totals"].items()}
    parts = {name: [one[name] for one in document["earned"]] for name in ("total", *EARNED_PARTS)}
    parts |= {name: [one["amount"] for one in document[name]] for name in MOVEMENTS}
    for name, amounts in parts.items():
        total = exact_sum(map(Decimal, amounts))
        if total != totals[name]:
            yield f"{name}: {totals[name]} stated, its rows come to {total}"
    owed = exact_sum([Decimal(document["opening"]), *(totals[name] for name in OWED_PARTS)])
    if owed != totals["closing"]:
        yield f"closing: {totals['closing']} stated, opening and movements come to {owed}"


def _earned_differs(one: Document) -> Iterator[str]:
    parts = exact_sum(Decimal(one[name]) for name in EARNED_PARTS)
    if parts != Decimal(one["total"]):
        yield f"{one['number']}: total {one['total']}, its parts come to {parts}"


def _term_differs(one: Document) -> Iterator[str]:
    exact = exact_sum(Decimal(row["exact"]) for row in one["rows"])
    if exact != Decimal(one["exact"]):
        yield f"{one['term']}: exact {one['exact']}, its rows come to {exact}"
    if Decimal(one["exact"]) + Decimal(one["rounding"]) != Decimal(one["amount"]):
        yield f"{one['term']}: amount {one['amount']} is not {one['exact']} and rounding of {one['rounding']}"
    sections: dict[str, list[Decimal]] = {}
    for row in one["rows"]:
        sections.setdefault(row["section"], []).append(Decimal(row["exact"]))
    stated = {name: Decimal(part["exact"]) for name, part in one["sections"].items()}
    if {name: exact_sum(amounts) for name, amounts in sections.items()} != stated:
        yield f"{one['term']}: sections {one['sections']} are not the sums of its rows"


def _earned(one: Earned, money: Any) -> dict[str, str]:
    return {
        "kind": one.kind,
        "number": one.number,
        "tenant": one.tenant,
        "contract": one.contract,
        "from_at": one.from_at.isoformat(),
        "to_at": one.to_at.isoformat(),
        "booked_at": one.booked_at.isoformat(),
        **{name: money(getattr(one, name)) for name in ("total", *EARNED_PARTS)},
    }


def _moved(one: Moved, money: Any) -> dict[str, str]:
    return {
        "cause": one.cause,
        "key": one.key,
        "memo": one.memo,
        "at": one.at.isoformat(),
        "amount": money(one.amount),
    }


def _term(one: TermPart, money: Any) -> dict[str, Any]:
    rows = [(section_of(one.kind, row.rule), row) for row in one.rows]
    exact = exact_sum(row.exact for row in one.rows)
    return {
        "contract": one.contract,
        "tenant": one.tenant,
        "term": one.term,
        "kind": one.kind,
        "amount": money(one.amount),
        "exact": plain(exact),
        "rounding": plain(one.amount - exact),
        "sections": {
            name: {"base": plain(_sum(rows, name, "base")), "exact": plain(_sum(rows, name, "exact"))}
            for name in dict.fromkeys(section for section, _row in rows)
        },
        "rows": [_row(section, row) for section, row in rows],
    }


def _sum(rows: Iterable[tuple[str, Row]], section: str, name: str) -> Decimal:
    return exact_sum(getattr(row, name) for at, row in rows if at == section)


def _row(section: str, row: Row) -> dict[str, Any]:
    return {
        "section": section,
        "rule": row.rule,
        "model": row.model,
        "class": row.token_class,
        "context_over": row.context_over,
        "unit": row.unit,
        "unit_price": plain(row.unit_price),
        "unit_price_unit": row.unit_price_unit,
        "share_percent": None if row.share_percent is None else plain(row.share_percent),
        "quantity": plain(row.quantity),
        "base": plain(to_charge(row.base)),
        "exact": plain(to_charge(row.exact)),
    }


def _reconciled(one: Reconciled) -> dict[str, Any]:
    residual = one.compared - one.control
    percent = to_decimals(Fraction(100 * abs(residual), one.compared), PERCENT_DECIMALS) if one.compared else None
    tolerance = one.tolerance_percent
    return {
        "contract": one.contract,
        "model": one.model,
        "class": one.token_class,
        "billed": str(one.billed),
        "compared": str(one.compared),
        "control": str(one.control),
        "residual": str(residual),
        "residual_percent": None if percent is None else plain(percent),
        "tolerance_percent": None if tolerance is None else plain(tolerance),
        "within": None if percent is None or tolerance is None else percent <= tolerance,
    }
