"""Adjustments as evidence has them: each closed period again, with what it comes to now and what was billed of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec.structs import astuple

from billing.basis import PeriodBasis, rate
from billing.canonical import Document
from billing.rating.inputs import facts_of
from billing.rating.late import Adjusted
from billing.rating.lines import make_bill
from billing.rating.rated import Carry, TermKind
from billing.rating.wording import plain
from billing.restating import Billed, LineKey, LineNow, facts_of_lines, lines_now, restated_carries


@dataclass(frozen=True, slots=True)
class Restated:
    """A closed period as it comes out now: `invoice` and `sha256` are of its invoice and that one's evidence, ""
    where it had none. `upward_billed`: whether what is more may still be billed."""

    invoice: str
    sha256: str
    basis: PeriodBasis
    upward_billed: bool
    lines: tuple[LineNow, ...]
    carries: tuple[Carry, ...]


def write_restated(restated: Restated, basis: dict[str, Any]) -> dict[str, Any]:
    """Return the section of a restated period; `basis` is its basis as evidence writes one."""
    return {
        "invoice": restated.invoice,
        "sha256": restated.sha256,
        "upward_billed": restated.upward_billed,
        **basis,
        "lines": [_line(line) for line in restated.lines],
        "carries": [{"ref": each.term_ref, "name": each.name, "value": plain(each.value)} for each in restated.carries],
    }


def section_differences(section: Document, basis: PeriodBasis) -> list[str]:
    """Return where a section's lines are not what its usage, terms and prices give."""
    rated = rate(basis)
    bill = make_bill(rated.lines, basis.currency)
    billed = {
        LineKey(line["term"], line["model"], line["rule"], line["unit"], line["about"]): Billed(
            TermKind(line["kind"]), line["line"], Decimal(line["billed_quantity"]), Decimal(line["billed_amount"])
        )
        for line in section["lines"]
    }
    computed = [_line(line) for line in lines_now(bill, billed, upward_billed=section["upward_billed"])]
    name = section["invoice"] or basis.from_at.isoformat()
    found = []
    for stated, line in _paired(section["lines"], computed):
        if stated != line:
            found.append(f"adjustment of {name}: {stated} stated, {line} computed")
    carries = restated_carries(rated.carries, basis.contract, basis)
    handed = [{"ref": each.term_ref, "name": each.name, "value": plain(each.value)} for each in carries]
    if handed != section["carries"]:
        found.append(f"adjustment of {name}: carries {section['carries']} stated, {handed} computed")
    return found


def billed_differences(sections: Iterable[tuple[Document, PeriodBasis]], basis: PeriodBasis) -> list[str]:
    """Return where the adjustments that a bill was rated from are not those that its sections come to."""
    stated = [fact for fact in facts_of(basis.facts, Adjusted) if fact.amount]
    computed = [
        fact
        for section, restated in sections
        for fact in facts_of_lines(section["invoice"], restated, [_read_line(line) for line in section["lines"]])
    ]
    alike = sorted(map(_comparable, stated)) == sorted(map(_comparable, computed))
    return [] if alike else [f"adjustments: {stated} on the bill, {computed} by their periods"]


def _comparable(fact: Adjusted) -> tuple[str, ...]:
    return tuple(plain(each) if isinstance(each, Decimal) else str(each) for each in astuple(fact))


def _line(line: LineNow) -> dict[str, Any]:
    return {
        "line": line.position,
        "term": line.key.term,
        "kind": str(line.kind),
        "model": line.key.model,
        "rule": line.key.rule,
        "about": line.key.about,
        "unit": line.key.unit,
        "quantity": plain(line.quantity),
        "amount": str(line.amount),
        "billed_quantity": plain(line.billed_quantity),
        "billed_amount": str(line.billed_amount),
        "adjusted_amount": str(line.adjusted_amount),
        "withheld_amount": str(line.withheld_amount),
    }


def _read_line(line: Document) -> LineNow:
    return LineNow(
        key=LineKey(line["term"], line["model"], line["rule"], line["unit"], line["about"]),
        kind=TermKind(line["kind"]),
        position=line["line"],
        quantity=Decimal(line["quantity"]),
        amount=Decimal(line["amount"]),
        billed_quantity=Decimal(line["billed_quantity"]),
        billed_amount=Decimal(line["billed_amount"]),
        adjusted_amount=Decimal(line["adjusted_amount"]),
        withheld_amount=Decimal(line["withheld_amount"]),
    )


def _paired(left: list[Any], right: list[Any]) -> Iterable[tuple[Any, Any]]:
    longest = max(len(left), len(right))
    return zip([*left, *[None] * (longest - len(left))], [*right, *[None] * (longest - len(right))], strict=True)
