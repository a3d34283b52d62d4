"""Reads what came late for closed periods, as facts of the periods on whose bills it goes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.money import round_to_minor
from billing.rating.inputs import Fact
from billing.rating.late import Adjusted
from billing.rating.rated import TermKind
from billing.rating.wording import plain
from billing.usage_spans import Window

ADJUSTED: Final = """
    SELECT taken.contract_id, taken.from_at, taken.to_at, closed.from_at, closed.to_at, invoice.number, line.position,
        late.term_kind, late.term_ref, late.model, late.rule, late.about, late.unit,
        sum(late.quantity), sum(late.amount)
    FROM billing_adjustment late
    JOIN billing_billingperiod taken ON taken.id = late.into_id
    JOIN billing_billingperiod closed ON closed.id = late.period_id
    LEFT JOIN billing_invoice invoice ON invoice.id = late.invoice_id
    LEFT JOIN billing_invoiceline line ON line.id = late.original_id
    WHERE taken.contract_id = ANY (%(contracts)s) AND taken.from_at = ANY (%(from_ats)s)
    GROUP BY taken.contract_id, taken.from_at, taken.to_at, closed.from_at, closed.to_at, invoice.number, line.position,
        late.source, late.term_kind, late.term_ref, late.model, late.rule, late.about, late.unit
    HAVING sum(late.amount) <> 0
    ORDER BY closed.from_at, late.source
"""


def adjusted_facts(windows: Sequence[Window]) -> Mapping[int, list[Fact]]:
    """Return what goes on the bill of each window's period for closed periods before it; one query."""
    found: dict[int, list[Fact]] = defaultdict(list)
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        indexes[window.contract.id].append(index)
    with connection.cursor() as cursor:
        cursor.execute(ADJUSTED, {"contracts": list(indexes), "from_ats": list({one.from_at for one in windows})})
        rows = cursor.fetchall()
    for contract_id, from_at, to_at, *late in rows:
        for index in indexes[contract_id]:
            window = windows[index]
            if (window.from_at, window.period_to_at or window.to_at) == (from_at, to_at):
                found[index].append(_adjusted_fact(late, window.contract.currency))
    return found


def _adjusted_fact(late: Sequence[Any], currency: str) -> Adjusted:
    from_at, to_at, invoice, line, term_kind, term_ref, model, rule, about, unit, quantity, amount = late
    return Adjusted(
        invoice=invoice or "",
        line=line or 0,
        from_at=from_at,
        to_at=to_at,
        kind=TermKind(term_kind),
        term=term_ref,
        model=model,
        rule=rule,
        about=about,
        unit=unit,
        quantity=Decimal(plain(quantity)),
        amount=round_to_minor(Fraction(amount), currency),
    )
