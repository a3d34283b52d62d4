"""What domain code says is told in the language of the page, with what it names."""

from __future__ import annotations

import pytest
from django.utils import translation

from billing.holding import WrongTerms
from tenants.problems import Problem
from tenants.sentences import ForPrograms, Name, Names, sentence
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


def test_a_name_is_told_as_the_page_calls_it_and_to_programs_as_it_is() -> None:
    named = sentence("contradicts %(named)s: a lease has one price.", named=Name("price_per_gpu_hour"))
    assert named == told(named) == "contradicts price_per_gpu_hour: a lease has one price."
    assert told(named, lambda name: f"“{name.field.upper()}”") == (
        "contradicts “PRICE_PER_GPU_HOUR”: a lease has one price."
    )
    choice = Name("early_end", "notice")
    assert (choice, choice.field, choice.value) == ("early_end notice", "early_end", "notice")
    assert Name("rule", "taxes", text="taxes") == "taxes"


def test_several_choices_are_told_each_as_it_is_called() -> None:
    known = sentence("%(it)s; known are %(names)s", it="x", names=Names("days", ("mon", "tue")))
    assert known == told(known) == "x; known are mon, tue"
    assert told(known, lambda name: name.value.upper()) == "x; known are MON, TUE"


def test_what_is_for_programs_alone_is_told_otherwise_to_people() -> None:
    example = ForPrograms('["<id>"]', sentence("each once"))
    wrong = WrongTerms("all of it", reason="Too few.", example=example)
    assert wrong.extra["example"] == '["<id>"]'
    assert type(wrong.extra["example"]) is str
    assert refusal(wrong) == "Too few. Example: each once"
    with translation.override("zh-hans"):
        assert refusal(wrong) == "Too few.示例\N{FULLWIDTH COLON}各一次"


def test_a_refusal_is_told_with_its_example() -> None:
    wrong = WrongTerms("wording: …", reason=sentence("One is named twice."), example=sentence("each once"))
    with translation.override("zh-hans"):
        assert refusal(wrong) == "有一个写了两次。示例\N{FULLWIDTH COLON}各一次"
