from __future__ import annotations

import re

import pytest

from billing.documents.inputs import Language
from billing.documents.words import CLASSES, EN, PRICE_UNITS, TAX_NAMES, UNITS, ZH, class_words, say
from billing.rating.rated import PriceUnit, Unit


def test_both_languages_say_the_same_things_with_the_same_figures() -> None:
    assert ZH.keys() == EN.keys()
    for key, words in EN.items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", ZH[key])), key
    for table in (CLASSES, PRICE_UNITS, TAX_NAMES, UNITS):
        assert table[Language.EN].keys() == table[Language.ZH].keys()


def test_every_unit_has_words() -> None:
    assert UNITS[Language.EN].keys() == set(Unit) - {Unit.AMOUNT}
    assert PRICE_UNITS[Language.EN].keys() == set(PriceUnit) - {PriceUnit.AMOUNT}


def test_a_class_is_called_with_its_tier() -> None:
    assert class_words(Language.EN, "cached_input") == "Cached input"
    assert class_words(Language.EN, "output", "200,000") == "Output, over 200,000 input tokens"
    assert class_words(Language.ZH, "output", "200,000") == "输出\N{FULLWIDTH COMMA}输入超过 200,000 词元"
    assert class_words(Language.EN, "new_class") == "new_class"


def test_chinese_marks_are_wide_and_figures_keep_theirs() -> None:
    said = say(Language.ZH, "amount_due", amount="€1,200.00", day="2026年4月17日")
    assert said == "应付 €1,200.00\N{FULLWIDTH COMMA}2026年4月17日前"


def test_what_it_has_no_words_for_is_an_error() -> None:
    with pytest.raises(KeyError):
        say(Language.EN, "unheard_of")
