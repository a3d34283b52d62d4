"""What domain code says is told in the language of the page, with what it names."""

from __future__ import annotations

import pytest
from django.utils import timezone, translation

from billing.holding import WrongTerms
from tenants.problems import Problem
from tenants.sentences import ForPrograms, Listed, Name, Names, sentence
from tenants.telling import refusal, told, with_example

FOR_GOOD = sentence("further notice")
HELD = sentence("%(card)s is held from %(from_at)s to %(until)s.", card="GPU-1", from_at="noon", until=FOR_GOOD)


def test_a_sentence_is_told_with_the_sentences_in_it() -> None:
    assert told(HELD) == "GPU-1 is held from noon to further notice."
    with translation.override("zh-hans"):
        assert told(HELD) == "GPU-1 从 noon 到 另行通知 已被占用。"


ENDED = sentence("%(ref)s ended at %(to_at)s.", ref="L-1", to_at="2026-11-23T16:25:54+00:00")


@pytest.mark.parametrize(
    ("zone", "language", "said"),
    [
        ("UTC", "en", "L-1 ended at 23 Nov 2026 16:25 UTC."),
        ("America/New_York", "en", "L-1 ended at 23 Nov 2026 11:25 EST."),
        ("Asia/Shanghai", "zh-hans", "L-1 已于 2026年11月24日 00:25 CST 结束。"),
    ],
)
def test_an_instant_is_told_by_the_clock_of_the_pages_zone_with_its_name(zone: str, language: str, said: str) -> None:
    with timezone.override(zone), translation.override(language):
        assert told(ENDED) == said
    assert str(ENDED) == "L-1 ended at 2026-11-23T16:25:54+00:00."


def test_an_instant_of_an_example_can_be_typed_in_the_pages_zone() -> None:
    with timezone.override("America/New_York"):
        assert with_example("Too late.", "2026-11-23T16:25:00Z") == "Too late. Example: 2026-11-23T11:25:00-05:00"
        assert with_example("Too late.", "from=2026-11-23T16:25:00Z").endswith("from=2026-11-23T16:25:00Z")


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


def test_texts_one_after_another_have_the_marks_of_the_readers_language() -> None:
    known = sentence("Without you nobody owns %(names)s. Make somebody else an owner first.", names=Listed(["A", "B"]))
    assert known == told(known) == "Without you nobody owns A, B. Make somebody else an owner first."
    with translation.override("zh-hans"):
        assert "A\N{IDEOGRAPHIC COMMA}B" in told(known)


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
