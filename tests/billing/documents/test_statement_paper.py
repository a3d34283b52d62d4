from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.documents.inputs import Language, Party
from billing.documents.press import chinese_face, print_paper
from billing.documents.statement_paper import compose_statement
from billing.documents.statement_words import PAPER
from tests.billing.statements.stated import make_month, stated_march
from tests.kept import kept

if TYPE_CHECKING:
    from billing.documents.paper import Paper
    from billing.models import ProviderStatement

PROVIDER = Party(name="Sample Compute GmbH", address=("Musterweg 1",), city="Musterstadt", postcode="10999")


@kept
def statement() -> ProviderStatement:
    return stated_march(make_month())


@kept
def paper(statement: ProviderStatement) -> Paper:
    return compose_statement(statement.document, provider=PROVIDER, sha256=statement.sha256)


def test_it_goes_from_what_was_owed_to_what_is_owed(statement: ProviderStatement, paper: Paper) -> None:
    facts = {fact.label: fact.value for fact in paper.totals}
    assert next(iter(facts)) == "Owed before"
    assert facts["Owed now"] in paper.headline
    assert f"{statement.closing:,.2f}" in facts["Owed now"]
    assert f"{statement.earned:,.2f}" in facts["Earned, net of fee and tax"]
    assert statement.sha256 in paper.notes[1]
    assert (paper.number, paper.facts[1].value) == (statement.number, "March 2026")


def test_every_invoice_is_a_row_with_its_parts(paper: Paper) -> None:
    earned = next(table for table in paper.tables if table.title == "What was earned")
    assert [column.title for column in earned.columns] == ["Invoice", "Total", "Fee", "Tax", "Net"]
    assert earned.rows
    assert all(len(row.cells) == len(table.columns) for table in paper.tables for row in table.rows)


def test_it_is_printed_the_same_each_time(statement: ProviderStatement, paper: Paper) -> None:
    first, again = (print_paper(paper, issued_at=statement.made_at).body for _ in range(2))
    assert first.startswith(b"%PDF-1.7")
    assert first == again


def test_in_chinese_it_says_the_same_and_no_word_of_ours_stays_english(
    statement: ProviderStatement, paper: Paper
) -> None:
    chinese = compose_statement(statement.document, provider=PROVIDER, sha256=statement.sha256, language=Language.ZH)
    assert (chinese.title, chinese.facts[1].value, chinese.parties[0].title) == ("结算单", "2026年3月", "服务商")
    assert chinese.headline.startswith("截至2026年3月末应付")
    assert [fact.label for fact in chinese.totals][0::7] == ["期初应付", "期末应付"]
    figures = [[re.sub(r"[^\d.-]", "", fact.value) for fact in one.totals] for one in (paper, chinese)]
    assert figures[0] == figures[1]
    ours = set(PAPER[Language.EN].values())
    said = {fact.label for fact in (*chinese.facts, *chinese.totals)} | {table.title for table in chinese.tables}
    said |= {column.title for table in chinese.tables for column in table.columns}
    assert not said & ours
    assert [len(table.rows) for table in chinese.tables] == [len(table.rows) for table in paper.tables]
    if chinese_face():
        assert print_paper(chinese, issued_at=statement.made_at).body.startswith(b"%PDF-1.7")
