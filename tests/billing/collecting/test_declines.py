"""What a card's holder reads of a refusal, and what is kept from one who may be a thief."""

from __future__ import annotations

import pytest

from billing.collecting.declines import (
    EMPTY,
    LIMITED,
    OLD,
    PLAIN,
    UNHEARD,
    UNSUITED,
    UNTOLD,
    WRONG,
    holder_words,
    told_code,
)

GROUPS = (EMPTY, OLD, WRONG, LIMITED, UNSUITED, UNHEARD)
CODES = sorted(set().union(*GROUPS))
NO_REASON = "Your card was declined, without a reason. Your bank can say why; another card may work."


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("insufficient_funds", "there is not enough money for it"),
        ("expired_card", "it has expired"),
        ("incorrect_cvc", "what is on file of it is not right"),
        ("card_velocity_exceeded", "it has reached its limit"),
        ("currency_not_supported", "it does not allow such payments"),
        ("processing_error", "its bank could not be asked"),
    ],
)
def test_a_holder_reads_what_is_wrong(code: str, words: str) -> None:
    assert holder_words(code).startswith(f"Your card was declined: {words}.")
    assert told_code(code) == code


@pytest.mark.parametrize("code", ["", PLAIN, "do_not_honor", "call_issuer", "new", *sorted(UNTOLD)])
def test_a_bank_that_gives_no_reason_is_not_guessed_at(code: str) -> None:
    assert holder_words(code) == NO_REASON


@pytest.mark.parametrize("code", sorted(UNTOLD))
def test_a_lost_card_is_told_as_any_other(code: str) -> None:
    assert told_code(code) == PLAIN


def test_a_code_has_one_sentence_and_each_group_its_own() -> None:
    assert sum(map(len, GROUPS)) == len(CODES)
    assert not UNTOLD.intersection(CODES)
    assert len({holder_words(code) for code in CODES}) == len(GROUPS)
