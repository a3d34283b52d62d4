"""Taxes in the evidence file: what they were decided from, each rate's sum and each line's part; worked out anew.

Evidence that was sealed before taxes were worked out has none, and no tax on its invoice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import msgspec

from billing.basis import PeriodBasis
from billing.canonical import Document
from billing.rating.lines import Bill
from billing.rating.wording import plain
from billing.tax_rules.deciding import RateMissing, TaxBasis
from billing.tax_rules.natures import taxed_lines
from billing.tax_rules.working_out import Nature, TaxBill, make_tax_bill


@dataclass(frozen=True, slots=True)
class Taxes:
    """The taxes of a bill with what they were decided from, and what each of its lines is to them, in their order."""

    basis: TaxBasis
    bill: TaxBill
    natures: tuple[Nature, ...]


def work_out(tax_basis: TaxBasis, basis: PeriodBasis, bill: Bill) -> Taxes:
    """Return the taxes of a rated bill; raises `RateMissing`."""
    lines = taxed_lines(bill.lines, basis, brought_untaxed=tax_basis.brought_untaxed)
    natures = tuple(line.nature for line in lines)
    return Taxes(tax_basis, make_tax_bill(tax_basis, lines, bill.currency), natures)


def write_taxes(taxes: Taxes) -> dict[str, Any]:
    """Return taxes as the evidence holds them."""
    return {
        "basis": msgspec.to_builtins(taxes.basis),
        "rates": [
            {
                "category": row.treatment.category.value,
                "percent": plain(row.treatment.percent),
                "country": row.treatment.country,
                "source": row.treatment.source.value,
                "reason_code": row.treatment.reason_code,
                "reason": row.treatment.reason,
                "taxable": str(row.taxable),
                "tax": str(row.tax),
            }
            for row in taxes.bill.rows
        ],
        "lines": [
            {"rate": place, "tax": str(tax)}
            for place, tax in zip(taxes.bill.places, taxes.bill.line_taxes, strict=True)
        ],
    }


def tax_differences(document: Document, basis: PeriodBasis, bill: Bill) -> Iterator[str]:
    """Yield where the document's taxes are not those that its own rates, parties and lines give."""
    stated: Mapping[str, Any] | None = document["taxes"]
    total = Decimal(document["invoice"]["tax"])
    if stated is None:
        if total:
            yield f"tax: {total} stated, and nothing that it was worked out from"
        return
    try:
        computed = write_taxes(work_out(msgspec.convert(stated["basis"], TaxBasis), basis, bill))
    except RateMissing as missing:
        yield f"tax: {missing}"
        return
    for name in ("rates", "lines"):
        for place, (left, right) in enumerate(zip_longest(stated[name], computed[name]), 1):
            if left != right:
                yield f"tax {name} {place}: {left} stated, {right} computed"
    given = sum((Decimal(rate["tax"]) for rate in computed["rates"]), Decimal(0))
    if total != given:
        yield f"tax: {total} stated, {given} computed"
