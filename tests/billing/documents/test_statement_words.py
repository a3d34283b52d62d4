"""What moved what a provider is owed, in two languages; what is unknown stands as it was booked."""

from __future__ import annotations

import re

import pytest

from billing.documents.inputs import Language
from billing.documents.statement_words import _STEPS, PAPER, moved_words

BOOKED = {
    "Payout PO-0001 made": "付款 PO-0001 已发起",
    "Payout PO-0001 paid": "付款 PO-0001 已到账",
    "Payout PO-0001 failed": "付款 PO-0001 未成功",
    "Payout PO-0001 back": "付款 PO-0001 被退回",
    "Payment of invoice INV-0001": "支付账单 INV-0001",
}


@pytest.mark.parametrize(("memo", "chinese"), BOOKED.items())
def test_each_movement_is_said_in_chinese_and_stands_in_english(memo: str, chinese: str) -> None:
    assert moved_words(memo, Language.ZH) == chinese
    assert moved_words(memo, Language.EN) == memo


@pytest.mark.parametrize("memo", ["Payout PO-0001 lost", "Payout {0.__class__} paid", "Something else", ""])
def test_what_is_unknown_stands_and_what_is_in_it_is_text(memo: str) -> None:
    said = moved_words(memo, Language.ZH)
    assert said == ("付款 {0.__class__} 已到账" if "{" in memo else memo)


def test_every_step_of_a_payout_is_met() -> None:
    assert {memo.rpartition(" ")[2] for memo in BOOKED if memo.startswith("Payout")} == _STEPS.keys()


def test_both_languages_say_the_same_things_of_the_same_names() -> None:
    assert PAPER[Language.EN].keys() == PAPER[Language.ZH].keys()
    for key, words in PAPER[Language.EN].items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", PAPER[Language.ZH][key])), key
