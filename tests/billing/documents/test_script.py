"""Marks between Chinese words are wide, in every text of a document; figures keep theirs."""

from __future__ import annotations

import re

from billing.documents import account_words, rule_words, words
from billing.documents.account_words import PAPER
from billing.documents.inputs import Language
from billing.documents.script import in_script

NARROW = re.compile(r"[\u4e00-\u9fff)][,;:()]|[,;:()][\u4e00-\u9fff]")
ALL = [
    *(in_script(text, Language.ZH) for text in words.WORDS[Language.ZH].values()),
    *(in_script(text, Language.ZH) for text in rule_words.ZH.values()),
    *(in_script(text, Language.ZH) for text in account_words.WORDS[Language.ZH].values()),
    *PAPER[Language.ZH].values(),
]


def test_marks_are_as_wide_as_the_words() -> None:
    assert in_script("a,b;c:(d)", Language.ZH) == "a\uff0cb\uff1bc\uff1a\uff08d\uff09"
    assert in_script("a,b;c:(d)", Language.EN) == "a,b;c:(d)"
    assert in_script("{amount} 1.5", Language.ZH) == "{amount} 1.5"


def test_no_text_of_a_document_has_a_narrow_mark_between_chinese_words() -> None:
    assert len(ALL) > 100
    assert [text for text in ALL if NARROW.search(text)] == []
