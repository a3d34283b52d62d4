"""A statement's page: every figure of the frozen document in words, in its currency, and no longer than a page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.models import ProviderStatement
from billing.pages.statement_words import (
    ROWS_SHOWN_MAX,
    earned_rows,
    kpis,
    month_words,
    moved_rows,
    reconciled_rows,
    section_words,
    term_rows,
)
from billing.rating.share_statement import Section
from billing.statements.document import DEPOSITS, SALES, Reconciled, Statement, make_document
from portal.figures import EN
from tests.billing.statements.test_document import SAMPLE, TERM, earned, moved, row

FIGURES = ("opening", "earned", "tax", "deposit", "received", "moved", "paid_out", "closing")
MARCH = date(2026, 3, 1)


def document(**changes: Any) -> Any:
    made = make_document(replace(SAMPLE, **changes))
    return json.loads(json.dumps(made))


def shown(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def statement(currency: str = "USD", **figures: str) -> ProviderStatement:
    given = {name: Decimal(figures.get(name, "0")) for name in FIGURES}
    return ProviderStatement(number="STM-0001", currency=currency, month=MARCH, **given)


def test_a_month_is_said_as_people_say_it() -> None:
    assert month_words(MARCH, EN) == "March 2026"


@pytest.mark.parametrize("section", [*(str(one) for one in Section), SALES, DEPOSITS])
def test_every_section_of_a_waterfall_has_a_name(section: str) -> None:
    assert section_words(section)


def test_the_figures_at_the_top_run_from_opening_to_closing() -> None:
    given = statement(
        opening="1", earned="95", tax="19", deposit="50", received="-5", moved="-3", paid_out="-100", closing="57"
    )
    values = [shown(one.value) for one in kpis(given, EN)]
    assert [value.replace("\N{MINUS SIGN}", "-") for value in values] == [
        "$1.00",
        "$95.00",
        "$69.00",
        "-$5.00",
        "-$3.00",
        "-$100.00",
        "$57.00",
    ]


@pytest.mark.parametrize(("closing", "foot"), [("0.01", "owed to you"), ("0", "owed to you"), ("-0.01", "carried")])
def test_what_is_below_zero_at_the_end_is_carried(closing: str, foot: str) -> None:
    assert kpis(statement(closing=closing), EN)[-1].foot == foot


@pytest.mark.parametrize(
    ("currency", "net", "text"),
    [("USD", "95.00", "$95.00"), ("JPY", "95", "JP¥95"), ("KWD", "95.125", "KWD 95.125")],
)
def test_an_invoice_is_shown_in_the_minor_unit_of_its_currency(currency: str, net: str, text: str) -> None:
    made = document(currency=currency, earned=[earned(Decimal(net))])
    (found,) = earned_rows(made, currency, EN)
    assert (shown(found["net"]), shown(found["total"])) == (text, text)
    assert (found["number"], found["tenant"], found["contract"]) == ("INV-0001", "Sample tenant", "C-0001")


@pytest.mark.parametrize(("kind", "words"), [("invoice", ""), ("credit", "drawn credit")])
def test_drawn_credit_says_that_it_is_none_of_the_invoices(kind: str, words: str) -> None:
    made = document(earned=[replace(earned(Decimal(95)), kind=kind)])
    assert [one["kind"] for one in earned_rows(made, "USD", EN)] == [words]


def test_a_movement_has_its_instant_words_and_sign() -> None:
    made = document(moved=[moved(Decimal("-5.00"))])
    (found,) = moved_rows(made["moved"], "USD", EN)
    assert found["memo"] == "Sample"
    assert shown(found["amount"]).replace("\N{MINUS SIGN}", "-") == "-$5.00"
    assert "2 Apr" in found["at"]


def test_a_term_shows_its_base_its_rounding_and_its_rows() -> None:
    (found,) = term_rows(document(terms=[TERM], earned=[earned(Decimal("3.00"))]), "USD", EN)
    assert (found["term"], found["contract"], found["tenant"]) == ("S-0001", "C-0001", "Sample tenant")
    assert (shown(found["amount"]), shown(found["base"])) == ("$3.00", "$10.0033")
    assert shown(found["rounding"]).replace("\N{MINUS SIGN}", "-") == "-$0.0010"
    (line,) = found["rows"]
    assert (line["model"], line["quantity"]) == ("sample-model · Output", "10 tokens")
    assert shown(line["amount"]) == "$3.0010"
    assert found["parts"] == "1 row"
    (found,) = term_rows(document(terms=[replace(TERM, rows=TERM.rows * 2)]), "USD", EN)
    assert found["parts"] == "2 rows"


def test_only_a_share_has_a_base() -> None:
    (found,) = term_rows(document(terms=[replace(TERM, kind="lease")]), "USD", EN)
    assert found["base"] == ""


@pytest.mark.parametrize(("percent", "words"), [(None, "a share"), (Decimal(30), "30 %"), (Decimal("0.5"), "0.5 %")])
def test_a_row_says_which_share_it_is(percent: Decimal | None, words: str) -> None:
    rows = (replace(row(TERM.rows[0].rule, "3.001", "10.0033"), share_percent=percent),)
    (found,) = term_rows(document(terms=[replace(TERM, rows=rows)]), "USD", EN)
    assert words in found["rows"][0]["name"]


@pytest.mark.parametrize(
    ("counts", "tolerance", "seen"),
    [
        ((100, 0, 0), Decimal(1), ("–", "–", "", "One witness")),
        ((100, 100, 100), Decimal(1), ("100", "0", "0.00%", "Within tolerance")),
        ((100, 100, 99), Decimal(1), ("99", "1", "1.00%", "Within tolerance")),
        ((100, 100, 98), Decimal(1), ("98", "2", "2.00%", "Outside tolerance")),
    ],
)
def test_both_witnesses_are_compared_where_both_saw_something(
    counts: tuple[int, int, int], tolerance: Decimal, seen: tuple[str, str, str, str]
) -> None:
    made = document(reconciliation=[Reconciled("C-0001", "m", "output", *counts, tolerance)])
    (found,) = reconciled_rows(made)
    assert (found["control"], found["residual"], found["percent"], found["pill"].text) == seen
    assert (found["class"], found["billed"]) == ("Output", "100")


def test_a_page_shows_no_more_rows_than_it_can() -> None:
    many = ROWS_SHOWN_MAX + 1
    made: Statement = replace(
        SAMPLE,
        earned=[earned(Decimal(1))] * many,
        moved=[moved(Decimal(1))] * many,
        reconciliation=[Reconciled("C-0001", "m", "output", 1, 0, 0, None)] * many,
    )
    whole = json.loads(json.dumps(make_document(made)))
    assert len(whole["earned"]) == many, "the document has them all"
    assert len(earned_rows(whole, "USD", EN)) == ROWS_SHOWN_MAX
    assert len(moved_rows(whole["moved"], "USD", EN)) == ROWS_SHOWN_MAX
    assert len(reconciled_rows(whole)) == ROWS_SHOWN_MAX


def test_instants_of_a_document_are_read_in_any_zone() -> None:
    at = datetime(2026, 4, 2, 1, tzinfo=UTC).isoformat()
    rows = [
        {"at": at, "memo": "Sample", "amount": "1.00"},
        {"at": "2026-04-02T03:00:00+02:00", "memo": "", "amount": "1"},
    ]
    first, second = moved_rows(rows, "USD", EN)
    assert first["at"] == second["at"]
