"""What is ours on papers is said in the language of who reads the page; names, numbers and unknown words stay."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import translation

from billing.documents.inputs import Language
from billing.models import InvoiceLine
from billing.pages.paper_words import heading_said, line_said, memo_said, reader_language, rule_said


@pytest.mark.parametrize(
    ("language", "papers"),
    [("en", Language.EN), ("zh-hans", Language.ZH), ("zh-Hans", Language.ZH), (None, Language.EN)],
)
def test_a_reader_reads_papers_of_the_pages_language(language: str | None, papers: Language) -> None:
    with translation.override(language):
        assert reader_language() is papers


def test_what_is_stored_is_said_in_chinese() -> None:
    line = InvoiceLine(
        description="S-0001 · My tokens · 30 % of list price", rule="token_share_list_price", share_percent=Decimal(30)
    )
    with translation.override("zh-hans"):
        assert line_said(line) == "S-0001 · My tokens · 标价的 30%"
        assert rule_said("share_audit_cost", "a share") == "审计费用"
        assert rule_said("share_of_base", "a share") == "经认证收入的一部分"
        assert heading_said("Adjustments of earlier periods") == "以前账期的调整"
        assert heading_said("quartz-70b") == "quartz-70b"
        assert memo_said("Invoice INV-0001 issued") == "开具账单 INV-0001"
    with translation.override("en"):
        assert line_said(line) == "S-0001 · My tokens · 30% of list price"
        assert rule_said("share_of_base", "a share") == "a share of certified revenue"
        assert rule_said("something_new", "") == "something new"
        assert heading_said("Adjustments of earlier periods") == "Adjustments of earlier periods"
        assert memo_said("Invoice INV-0001 issued") == "Invoice INV-0001 issued"
