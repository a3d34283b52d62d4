"""What moved an account, in two languages; what is unknown stands as it was booked."""

from __future__ import annotations

import re

import pytest

from billing.documents.account_words import KINDS, PAPER, WORDS, line_words
from billing.documents.inputs import Language
from billing.documents.script import in_script

BOOKED = {
    "Invoice INV-0001 issued": "开具账单 INV-0001",
    "Invoice INV-0001 voided": "账单 INV-0001 作废",
    "Invoice INV-0001: written off": "账单 INV-0001 核销",
    "Invoice INV-0001: recovered": "账单 INV-0001 核销后收回",
    "Payment of invoice INV-0001": "支付账单 INV-0001",
    "Payment of invoice INV-0001 taken back": "账单 INV-0001 的付款被撤回",
    "Credit note CN-1 for invoice INV-0001": "贷记通知单 CN-1,对应账单 INV-0001",
    "Credit note CN-1: paid before, kept for the tenant": "贷记通知单 CN-1:已付部分留作余额",
    "Balance applied to invoice INV-0001": "余额抵付账单 INV-0001",
    "Credit that C-1 left at its end": "合同 C-1 结束时剩余的贷记额",
    "Credit spring offer given back": "退还未用额度 spring offer",
    "Received by bank, more than was owed": "银行到账超出应付的部分",
    "Received by bank, and not of this tenant": "银行到账,不属于本租户",
    "Balance paid out": "余额付出",
    "Refund came back to the balance": "退款退回余额",
}


@pytest.mark.parametrize(("memo", "chinese"), BOOKED.items())
def test_each_sentence_is_said_in_chinese_and_stands_in_english(memo: str, chinese: str) -> None:
    assert line_words(memo, Language.ZH) == in_script(chinese, Language.ZH)
    assert line_words(memo, Language.EN) == memo


def test_every_kind_is_met_and_by_one_pattern_only() -> None:
    met = {memo: [kind for kind, pattern in KINDS.items() if pattern.fullmatch(memo)] for memo in BOOKED}
    assert all(len(kinds) == 1 for kinds in met.values()), met
    assert {kinds[0] for kinds in met.values()} == KINDS.keys() == WORDS[Language.ZH].keys()


@pytest.mark.parametrize("memo", ["Invoice {0.__class__} issued", "Something else", "", "Payment of invoice {x}"])
def test_what_stands_in_a_sentence_is_text_and_what_is_unknown_stands(memo: str) -> None:
    name = re.search(r"\{.*\}", memo)
    said = line_words(memo, Language.ZH)
    assert name.group() in said if name else said == memo


def test_both_languages_say_the_same_things_of_the_same_names() -> None:
    assert PAPER[Language.EN].keys() == PAPER[Language.ZH].keys()
    for key, words in PAPER[Language.EN].items():
        assert re.findall(r"\{\w+\}", words) == re.findall(r"\{\w+\}", PAPER[Language.ZH][key]), key
