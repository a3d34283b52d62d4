from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.documents.composing import compose, country_words
from billing.documents.inputs import BankAccount, DocumentInput, DocumentKind, Language, Payment, Tax, Totals
from billing.documents.paper import Fact, Paper, RowKind
from billing.tax_rules.deciding import EXPORT_REASON, NO_TAX_REASON, REVERSE_CHARGE_REASON
from tests.billing.documents.invoiced import untaxed
from tests.billing.documents.made import DUE, ISSUED, discount_line, invoice, lease_line, share_line


def facts(paper: Paper) -> dict[str, str]:
    return {fact.label: fact.value for fact in paper.facts}


def totals(paper: Paper) -> list[tuple[str, str]]:
    return [(fact.label, fact.value) for fact in paper.totals]


def box(paper: Paper) -> dict[str, str]:
    [block] = paper.blocks
    return {fact.label: fact.value for fact in block.facts}


def nothing_due(document: DocumentInput) -> DocumentInput:
    return replace(document, totals=replace(document.totals, prepaid=document.totals.total, due=Decimal("0.00")))


def test_the_head_says_what_when_and_for_which_days_of_the_zone() -> None:
    paper = compose(invoice(time_zone="UTC"))
    assert (paper.title, paper.number, paper.author) == ("Invoice", "INV-0001", "Sample Compute GmbH")
    assert facts(paper) == {
        "Number": "INV-0001",
        "Issued": "3 April 2026",
        "Due": "17 April 2026",
        "Period": "1–31 March 2026",
        "Contract": "C-0001",
    }


def test_days_are_those_of_the_documents_zone() -> None:
    west = compose(invoice(time_zone="America/Los_Angeles"))
    assert facts(west)["Period"] == "28 Feb – 31 Mar 2026"
    assert any("America/Los_Angeles" in note for note in west.notes)


def test_parties_are_named_with_what_is_known_of_them_and_no_more() -> None:
    seller, buyer = compose(invoice()).parties
    assert seller.lines == (
        "Sample Compute GmbH",
        "Musterweg 1",
        "10999 Musterstadt",
        "Germany",
        "billing@compute.example",
    )
    assert seller.facts == (Fact("VAT ID", "DE136695976"), Fact("Registration", "HRB 0000"))
    assert buyer.lines[1:3] == ("1 rue de l’Exemple", "Bâtiment B")
    bare = compose(invoice(buyer=replace(invoice().buyer, address=(), city="", postcode="", country="", vat_id="")))
    assert bare.parties[1].lines == ("Sample Tokens SAS", "bills@tokens.example")
    assert bare.parties[1].facts == ()


def test_lines_stand_under_their_heading_with_its_sum_and_their_parts() -> None:
    [table] = compose(invoice(time_zone="UTC")).tables
    assert [column.title for column in table.columns] == ["Item", "Quantity", "Unit price", "Tax", "Amount"]
    shown = [(row.kind, row.cells) for row in table.rows]
    assert shown == [
        (RowKind.HEADING, ("GPU leases", "", "", "", "€9,813.60")),
        (RowKind.LINE, ("L-0001 · H100 cluster", "4,176 GPU-h", "€2.35 / GPU-h", "19%", "€9,813.60")),
        (RowKind.HEADING, ("llama-3-70b", "", "", "", "€5.01")),
        (RowKind.LINE, ("S-0001 · 30 % of list price", "26,450,535 tokens", "", "19%", "€5.01")),
        (RowKind.PART, ("Input", "22,361,870 tokens", "€0.60 / 1M", "", "€4.025137")),
        (RowKind.PART, ("Output", "4,088,665 tokens", "€0.80 / 1M", "", "€0.981280")),
        (RowKind.HEADING, ("Other", "", "", "", "−€18.61")),
        (RowKind.LINE, ("D-0001 · discount", "", "", "19%", "−€18.61")),
    ]
    assert table.rows[1].under == ("10–31 March 2026",)
    assert table.rows[3].under == ()


def test_lines_of_one_heading_are_summed_exactly_once() -> None:
    document = invoice(lines=(share_line(1), share_line(2), lease_line(3)))
    headings = [row.cells for row in compose(document).tables[0].rows if row.kind is RowKind.HEADING]
    assert [(cells[0], cells[-1]) for cells in headings] == [("llama-3-70b", "€10.02"), ("GPU leases", "€9,813.60")]


def test_without_tax_there_is_no_column_of_it() -> None:
    lines = (lease_line(category=""), discount_line(category=""))
    [table] = compose(invoice(lines=lines, taxes=())).tables
    assert [column.title for column in table.columns] == ["Item", "Quantity", "Unit price", "Amount"]
    assert {len(row.cells) for row in table.rows} == {4}


def test_a_price_of_a_share_says_the_part_taken() -> None:
    line = replace(share_line(), unit_price=Decimal("0.6"), parts=())
    [table] = compose(invoice(lines=(line,))).tables
    assert table.rows[1].cells[2] == "30% of €0.60 / 1M"
    several = compose(invoice(lines=(replace(line, unit_price=None),))).tables[0]
    assert several.rows[1].cells[2] == "several prices"


def test_totals_add_up_in_words() -> None:
    assert totals(compose(invoice())) == [
        ("Subtotal", "€9,800.00"),
        ("Tax 19% on €9,800.00", "€1,862.00"),
        ("Total", "€11,662.00"),
        ("Amount due", "€11,662.00"),
    ]


@pytest.mark.parametrize(
    ("category", "words"),
    [
        ("AE", "Reverse charge on €9,800.00"),
        ("Z", "Zero rate on €9,800.00"),
        ("O", "Not subject to tax on €9,800.00"),
        ("X9", "X9 on €9,800.00"),
    ],
)
def test_tax_that_is_none_says_why(category: str, words: str) -> None:
    tax = Tax(
        category=category,
        percent=Decimal(0),
        base=Decimal("9800.00"),
        amount=Decimal("0.00"),
        reason="Reverse charge: the buyer owes the tax.",
    )
    paper = compose(invoice(taxes=(tax,)))
    assert (words, "€0.00") in totals(paper)
    assert "Reverse charge: the buyer owes the tax." in paper.notes


def test_what_is_not_subject_to_tax_has_no_rate_and_what_is_exempt_has_one_of_nothing() -> None:
    [outside], [exempt] = compose(untaxed("O")).tables, compose(untaxed("E")).tables
    assert [column.title for column in outside.columns] == ["Item", "Quantity", "Unit price", "Amount"]
    assert "0%" not in {cell for row in outside.rows for cell in row.cells}
    assert {row.cells[3] for row in exempt.rows if row.kind is RowKind.LINE} == {"0%"}


def test_beside_what_is_taxed_the_rate_of_what_is_not_subject_stays_empty() -> None:
    lines = (lease_line(1), replace(share_line(2), tax_category="O", tax_percent=Decimal(0)))
    [table] = compose(invoice(lines=lines)).tables
    assert [row.cells[3] for row in table.rows if row.kind is RowKind.LINE] == ["19%", ""]


@pytest.mark.parametrize("reason", [REVERSE_CHARGE_REASON, EXPORT_REASON, NO_TAX_REASON])
def test_our_own_reason_for_no_tax_is_said_in_the_papers_language_before_the_stored_words(reason: str) -> None:
    tax = Tax(category="O", percent=Decimal(0), base=Decimal(1), amount=Decimal(0), reason=reason)
    assert reason in compose(invoice(taxes=(tax,))).notes
    [said] = [note for note in compose(invoice(taxes=(tax,), language=Language.ZH)).notes if reason in note]
    assert said.partition(reason)[2] == "\N{FULLWIDTH RIGHT PARENTHESIS}"
    assert not said[0].isascii()


def test_percentages_keep_their_own_decimals() -> None:
    tax = Tax(category="S", percent=Decimal("8.125"), base=Decimal(100), amount=Decimal("8.13"))
    assert totals(compose(invoice(taxes=(tax,))))[1] == ("Tax 8.125% on €100.00", "€8.13")


def test_the_payment_box_names_account_reference_amount_and_day() -> None:
    paper = compose(invoice())
    assert paper.headline == "€11,662.00 due 17 April 2026"
    assert (paper.link, paper.link_words) == (
        "https://bills.example/t/invoices/INV-0001/",
        "Pay or check every line online",
    )
    assert box(paper) == {
        "Account holder": "Sample Compute GmbH",
        "IBAN": "DE02 1203 0000 0000 2020 51",
        "BIC": "BYLADEM1001",
        "Reference": "RF18539007547034",
        "Amount": "€11,662.00",
        "Pay by": "17 April 2026",
    }


def test_without_an_account_it_says_whom_to_ask() -> None:
    paper = compose(invoice(payment=Payment(terms="Net 14 days.")))
    assert paper.blocks[0].lines == (
        "Ask Sample Compute GmbH where to transfer it to: billing@compute.example.",
        "Net 14 days.",
    )
    assert box(paper)["Reference"] == "INV-0001"
    assert paper.link_words == ""


def test_a_card_on_file_needs_no_account() -> None:
    [block] = compose(invoice(payment=Payment(account=BankAccount(iban="DE02"), by_card=True))).blocks
    assert block.facts == ()
    assert block.lines == ("The card on file is charged. You need not do anything.",)


def test_nothing_due_asks_for_nothing() -> None:
    paper = compose(nothing_due(invoice()))
    assert paper.headline == "Nothing to pay"
    assert paper.blocks == ()
    assert "Due" not in facts(paper)
    assert totals(paper)[-2:] == [("Already paid", "−€11,662.00"), ("Amount due", "€0.00")]


def test_a_credit_note_names_its_invoice_and_asks_for_nothing() -> None:
    document = invoice(kind=DocumentKind.CREDIT_NOTE, number="CN-0001", due_at=None, about="INV-0001", about_at=ISSUED)
    paper = compose(document)
    assert paper.title == "Credit note"
    assert facts(paper)["For invoice"] == "INV-0001 of 3 April 2026"
    assert paper.headline == "€11,662.00 credited"
    assert paper.blocks == ()
    assert totals(paper)[-1] == ("Amount credited", "€11,662.00")


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("JPY", "1200", "JP¥1,200"), ("BHD", "1.234", "BHD\N{NO-BREAK SPACE}1.234"), ("CLF", "1.2345", "CLF")],
)
def test_amounts_have_their_currencys_own_decimals(currency: str, amount: str, shown: str) -> None:
    whole = Decimal(amount)
    document = invoice(
        currency=currency,
        lines=(),
        taxes=(),
        totals=Totals(subtotal=whole, tax=Decimal(0), total=whole, due=whole),
    )
    assert totals(compose(document))[0][1].startswith(shown)


def test_a_line_of_an_adjustment_says_what_it_adjusts() -> None:
    line = replace(discount_line(), about="INV-0000, line 3")
    [table] = compose(invoice(lines=(line,))).tables
    assert table.rows[1].under == ("Adjusts INV-0000, line 3",)


def test_papers_are_of_the_size_of_the_sellers_country() -> None:
    assert compose(invoice()).size == "a4"
    assert compose(invoice(seller=replace(invoice().seller, country="US"))).size == "us-letter"


def test_it_speaks_chinese() -> None:
    paper = compose(invoice(language=Language.ZH, time_zone="Asia/Shanghai"))
    assert (paper.title, paper.headline) == ("账单", "应付 €11,662.00\N{FULLWIDTH COMMA}2026年4月17日前")
    assert paper.parties[0].lines[3] == "德国"
    assert [column.title for column in paper.tables[0].columns] == ["项目", "数量", "单价", "税", "金额"]
    assert paper.tables[0].rows[1].cells[1] == "4,176 GPU 小时"
    assert paper.page_words == "第 {page} 页\N{FULLWIDTH COMMA}共 {pages} 页"


def test_an_unknown_country_stands_as_its_code() -> None:
    assert country_words("XQ", Language.EN) == "XQ"


def test_what_is_due_without_a_day_names_none() -> None:
    paper = compose(invoice(due_at=None))
    assert paper.headline == "€11,662.00 due"
    assert "Pay by" not in box(paper)
    assert DUE.year == 2026
