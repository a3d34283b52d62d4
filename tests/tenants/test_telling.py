"""What domain code says is told in the language of the page, with what it names."""

from __future__ import annotations

import pytest
from django.utils import translation

from billing.holding import WrongTerms
from tenants.problems import Problem
from tenants.sentences import sentence
from tenants.telling import refusal, told

FOR_GOOD = sentence("further notice")
HELD = sentence("%(card)s is held from %(from_at)s to %(until)s.", card="GPU-1", from_at="noon", until=FOR_GOOD)


def test_a_sentence_is_told_with_the_sentences_in_it() -> None:
    assert told(HELD) == "GPU-1 is held from noon to further notice."
    with translation.override("zh-hans"):
        assert told(HELD) == "GPU-1 从 noon 到 另行通知 已被占用。"


@pytest.mark.parametrize("text", ["100 % of %(it)s", 7, sentence("")])
def test_anything_else_is_told_as_it_is(text: object) -> None:
    with translation.override("zh-hans"):
        assert told(text) == str(text)


def test_a_refusal_says_the_reason_and_the_example_where_there_is_one() -> None:
    assert refusal(WrongTerms("all of it", reason="Too much.", example="2.35")) == "Too much. Example: 2.35"
    assert refusal(WrongTerms("all of it", reason="Too much.")) == "Too much."
    assert refusal(Problem("It is wrong.")) == "It is wrong."


def test_a_refusal_is_told_with_its_example() -> None:
    wrong = WrongTerms("wording: …", reason=sentence("One is named twice."), example=sentence("each once"))
    with translation.override("zh-hans"):
        assert refusal(wrong) == "有一个写了两次。示例\N{FULLWIDTH COLON}各一次"
