"""Every rule of a share has words of its own, with the percentage where it is a share of something."""

import pytest

from billing.rating.share_statement import SECTION_OF, Section
from billing.rating.words import RULE_WORDS, line_words


@pytest.mark.parametrize("rule", SECTION_OF)
def test_rules_of_a_share_have_words(rule: str) -> None:
    words = line_words(rule, "30 %")
    assert rule in RULE_WORDS
    assert "_" not in words
    assert ("30 %" in words) == (SECTION_OF[rule] in (Section.GROSS, Section.SHARE))


def test_a_rule_without_words_is_called_by_its_id() -> None:
    assert line_words("something_new", "30 %") == "something new"
