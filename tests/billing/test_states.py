"""Every state that a sentence names has its word in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation

from billing.models import (
    AmendmentState,
    ContractState,
    DisputeState,
    InvoiceState,
    PayoutState,
    RefundState,
    SettlementState,
)
from billing.states import in_state
from tenants.telling import told

NAMED = (AmendmentState, ContractState, DisputeState, InvoiceState, PayoutState, RefundState, SettlementState)


NEVER_NAMED = {str(DisputeState.OPEN)}
"""A question is named by its state only where it is over."""


@pytest.mark.parametrize("state", sorted({str(each) for states in NAMED for each in states} - NEVER_NAMED))
def test_a_state_is_its_code_in_english_and_a_word_in_chinese(state: str) -> None:
    assert told(in_state(state)) == state
    with translation.override("zh-hans"):
        word = told(in_state(state))
    assert word
    assert not word.isascii(), word


def test_what_is_no_state_of_ours_is_said_as_it_is() -> None:
    assert in_state("requires_capture") == "requires_capture"
