"""The paper of an account: opening, movements and closing in the tenant's language, the same bytes each time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.documents.account_paper import AccountInput, AccountRow, compose_account
from billing.documents.inputs import Language, Party
from billing.documents.press import chinese_face, print_paper

ACCOUNT = AccountInput(
    seller=Party(name="Sample Compute GmbH", address=("Musterweg 1",), city="Musterstadt", postcode="10999"),
    buyer=Party(name="Sample Tokens Ltd"),
    language=Language.EN,
    number="sample-EUR-2026-04-01-2026-04-30",
    currency="EUR",
    first=date(2026, 4, 1),
    last=date(2026, 4, 30),
    opening=Decimal(10),
    charged=Decimal("1751.40"),
    settled=Decimal("-751.40"),
    closing=Decimal(1010),
    rows=(
        AccountRow(date(2026, 4, 1), "Invoice INV-0001 issued", "", Decimal("1751.40"), Decimal("1761.40")),
        AccountRow(date(2026, 4, 9), "Payment of invoice INV-0001", "TRX-9", Decimal("-751.40"), Decimal(1010)),
    ),
)


def test_it_goes_from_opening_to_closing_by_every_movement() -> None:
    paper = compose_account(ACCOUNT)
    assert [(fact.label, fact.value) for fact in paper.totals] == [
        ("Opening balance", "€10.00"),
        ("Invoiced", "€1,751.40"),
        ("Paid and credited", "−€751.40"),
        ("Closing balance", "€1,010.00"),
    ]
    [table] = paper.tables
    assert [row.cells[:2] for row in table.rows] == [
        ("Invoice INV-0001 issued", ""),
        ("Payment of invoice INV-0001", "TRX-9"),
    ]
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    assert (paper.headline, paper.facts[0].value) == ("€1,010.00 to be paid", "1 April 2026 – 30 April 2026")


@pytest.mark.parametrize(
    ("closing", "said"), [("1", "€1.00 to be paid"), ("-1", "€1.00 in your favour"), ("0", "Nothing is owed")]
)
def test_it_says_who_owes_what(closing: str, said: str) -> None:
    assert compose_account(replace(ACCOUNT, closing=Decimal(closing))).headline == said


def test_days_without_movements_say_so() -> None:
    paper = compose_account(replace(ACCOUNT, rows=()))
    assert (paper.tables, paper.headline_note) == ((), "Nothing moved in these days.")


def test_in_chinese_every_word_of_ours_is_chinese() -> None:
    paper = compose_account(replace(ACCOUNT, language=Language.ZH))
    assert (paper.title, paper.headline) == ("对账单", "应付 €1,010.00")
    assert paper.tables[0].rows[0].cells[0] == "开具账单 INV-0001"
    assert paper.facts[0].value == "2026年4月1日至2026年4月30日"


@pytest.mark.parametrize("language", [Language.EN, *([Language.ZH] if chinese_face() else [])])
def test_it_is_printed_the_same_each_time(language: Language) -> None:
    paper, at = compose_account(replace(ACCOUNT, language=language)), datetime(2026, 5, 1, tzinfo=UTC)
    first, again = (print_paper(paper, issued_at=at).body for _ in range(2))
    assert first.startswith(b"%PDF-1.7")
    assert first == again
