"""From a provider's statement, as it was frozen, to the paper it is printed on."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.documents.inputs import Party
from billing.documents.paper import Block, Column, Fact, Paper, Row, RowKind, Table
from billing.money import minor_digits
from portal.figures import EN, day, money, number

LABELS = {
    "net": "Earned, net of fee and tax",
    "tax": "Tax to hand on",
    "deposit": "Deposits held",
    "received": "Received directly",
    "moved": "Corrections",
    "paid_out": "Paid out",
}
"""What closing is more than opening by, in the order of a statement."""
MOVED = ("received", "moved", "paid_out")


def compose_statement(document: str, *, provider: Party, sha256: str) -> Paper:
    """Return the paper of a statement's canonical document; in English, as the document is."""
    said = json.loads(document)
    head, currency = said["statement"], str(said["statement"]["currency"])
    month = date.fromisoformat(f"{head['month']}-01")

    def amount(text: str) -> str:
        return money(Decimal(text), currency, locale=EN, digits=minor_digits(currency))

    totals = said["totals"]
    lines = filter(None, (provider.name, *provider.address, f"{provider.postcode} {provider.city}".strip()))
    return Paper(
        language="en",
        size="a4",
        title="Statement",
        number=head["number"],
        author=provider.name,
        facts=(
            Fact("Number", head["number"], strong=True),
            Fact("Month", day(month, "yMMMM", EN)),
            Fact("Made", _day(head["made_at"])),
        ),
        parties=(Block("For", (), tuple(lines)),),
        headline=f"{amount(totals['closing'])} owed at the end of {day(month, 'yMMMM', EN)}",
        tables=tuple(_tables(said, amount)),
        totals=(
            Fact("Owed before", amount(said["opening"])),
            *(Fact(label, amount(totals[name])) for name, label in LABELS.items()),
            Fact("Owed now", amount(totals["closing"]), strong=True),
        ),
        notes=(
            "Amounts above zero are owed to the provider. Months are those of UTC.",
            f"Document SHA-256 {sha256}: it holds every term, witness and posting behind this page.",
        ),
        footer=f"{provider.name} · Statement · {head['number']}",
        page_words="Page {page} of {pages}",
    )


def _day(at: str) -> str:
    return day(datetime.fromisoformat(at).astimezone(UTC).date(), "yMMMMd", EN)


def _tables(said: Mapping[str, Any], amount: Any) -> Sequence[Table]:
    tables = []
    if said["earned"]:
        titles = ("Invoice", "Total", "Fee", "Tax", "Net")
        columns = tuple(Column(title, figures=title != "Invoice") for title in titles)
        rows = tuple(
            Row(
                RowKind.LINE,
                (one["number"], *(amount(one[name]) for name in ("total", "fee", "tax", "net"))),
                (f"{one['tenant']} · {one['contract']} · {_day(one['booked_at'])}",),
            )
            for one in said["earned"]
        )
        tables.append(Table(columns, rows, "What was earned"))
    moved = [one for name in MOVED for one in said[name]]
    if moved:
        rows = tuple(Row(RowKind.LINE, (one["memo"], _day(one["at"]), amount(one["amount"]))) for one in moved)
        columns = (Column("What"), Column("Day", figures=True), Column("Amount", figures=True))
        tables.append(Table(columns, rows, "What moved since"))
    if said["reconciliation"]:
        titles = ("Witnesses", "Billed", "Compared", "Control", "Residual")
        rows = tuple(
            Row(
                RowKind.LINE,
                (
                    one["model"],
                    *(number(Decimal(one[name])) for name in ("billed", "compared", "control", "residual")),
                ),
                (f"{one['contract']} · {one['class']}",),
            )
            for one in said["reconciliation"]
        )
        columns = tuple(Column(title, figures=title != "Witnesses") for title in titles)
        tables.append(Table(columns, rows, "Gateway and engine compared"))
    return tables
