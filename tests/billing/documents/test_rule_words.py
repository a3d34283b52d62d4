from __future__ import annotations

from decimal import Decimal

import pytest

from billing.documents.inputs import Language
from billing.documents.rule_words import ZH, line_name, title_words
from billing.rating.debit import LATE_FEE_REASON, RULE_LATE_FEE, said_late_fee
from billing.rating.words import RULE_WORDS


@pytest.mark.parametrize(
    ("description", "rule", "percent", "chinese"),
    [
        ("L-0001 · Cluster · deposit", "lease_deposit_taken", None, "L-0001 · Cluster · 押金"),
        ("S-0001 · 30 % of list price", "token_share_list_price", "30.0000", "S-0001 · 标价的 30%"),
        ("S-0001 · a share of list price", "token_share_list_price", None, "S-0001 · 标价的一部分"),
        ("L-0001 · Cluster", "lease_fixed_rate", None, "L-0001 · Cluster"),
        ("X-1 · worded otherwise", "discount_amount", None, "X-1 · worded otherwise"),
        ("X-1 · some later rule", "some_later_rule", None, "X-1 · some later rule"),
    ],
)
def test_the_rules_words_are_put_in_chinese(description: str, rule: str, percent: str | None, chinese: str) -> None:
    share = None if percent is None else Decimal(percent)
    assert line_name(description, rule=rule, share_percent=share, language=Language.ZH) == chinese
    assert line_name(description, rule=rule, share_percent=share, language=Language.EN) == description.replace(
        " %", "%"
    )


def test_a_late_fee_is_titled_in_the_language_and_what_people_wrote_stays() -> None:
    said = LATE_FEE_REASON.format(days=17)
    line = f"D-0001 \N{MIDDLE DOT} INV-0007: {said} \N{MIDDLE DOT} late payment"
    chinese = line_name(line, rule=RULE_LATE_FEE, share_percent=None, language=Language.ZH)
    assert chinese == "D-0001 · INV-0007: 到期 17 天后仍未支付 · 逾期付款"
    assert line_name(line, rule=RULE_LATE_FEE, share_percent=None, language=Language.EN) == line
    assert title_words(f"INV-0007: {said}", Language.ZH) == "INV-0007: 到期 17 天后仍未支付"
    assert title_words("INV-0007: 2 hours were left out", Language.ZH) == "INV-0007: 2 hours were left out"
    assert [said_late_fee(each) for each in (said, "Not paid")] == [(said, "17"), None]


def test_it_knows_no_rule_that_there_is_not_and_keeps_its_figures() -> None:
    assert set(ZH) == {rule for rule, words in RULE_WORDS.items() if words}
    for rule, words in ZH.items():
        assert ("{share}" in words) == ("{share}" in RULE_WORDS[rule]), rule
