"""A sentence is plain English to whoever does not ask, and its words and values to whoever does."""

from __future__ import annotations

import json

import pytest

from tenants.problems import Problem
from tenants.sentences import Sentence, kept, said_again, sentence


def test_a_sentence_is_its_english_text() -> None:
    said = sentence("%(count)s of %(whole)s are free.", count=2, whole=sentence("all"))
    assert said == "2 of all are free."
    assert (said.template, said.values) == ("%(count)s of %(whole)s are free.", {"count": 2, "whole": "all"})
    assert isinstance(said.values["whole"], Sentence)


def test_a_percent_sign_needs_nothing_where_there_are_no_values() -> None:
    assert sentence("At most 100 % of it.") == "At most 100 % of it."
    assert sentence("At most %(most)s %%.", most=100) == "At most 100 %."


def test_a_value_that_is_not_given_is_seen_at_once() -> None:
    with pytest.raises(KeyError):
        sentence("%(count)s are free.", number=1)


def test_a_problem_keeps_the_sentence_and_answers_in_plain_english() -> None:
    reason = sentence("%(count)s are free.", count=1)
    refused = Problem(reason, field="count", example=sentence("fewer"), earliest=None)
    assert type(refused.detail) is str
    assert {type(value) for value in refused.extra.values()} == {str, type(None)}
    assert json.loads(json.dumps(refused.extra)) == {"field": "count", "example": "fewer", "earliest": None}
    assert refused.said is reason


def test_what_is_said_to_people_goes_before_the_reason_and_that_before_the_message() -> None:
    assert Problem("count: few.", said="few.", reason="too few.").said == "few."
    assert Problem("count: few.", reason="too few.").said == "too few."
    assert Problem("count: few.").said == "count: few."
    assert "said" not in Problem("count: few.", said="few.").extra


def test_what_was_kept_as_json_is_the_same_sentence_again() -> None:
    said = sentence("%(count)s of %(whole)s are free.", count=2, whole=sentence("all"))
    again = said_again(json.loads(json.dumps(kept(said))))
    assert isinstance(again, Sentence)
    assert (again, again.template, again.values) == (said, said.template, {"count": "2", "whole": "all"})
    assert isinstance(again.values["whole"], Sentence)
    assert said_again(json.loads(json.dumps(kept("as a bank says it: 100 %")))) == "as a bank says it: 100 %"
