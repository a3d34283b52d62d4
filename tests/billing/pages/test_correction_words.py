"""Words of corrections: every state has one, numbers are read as typed, and all of it is said in Chinese too."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import billing
from billing.models import CreditReason, DisputeState, RefundMethod, RefundState
from billing.pages.correction_words import METHODS, REASONS, dispute_pill, read_decimal, refund_pill
from portal.catalogue import catalogue_messages, python_messages, template_messages

PAGES = ("correction_words", "credit_notes", "disputes", "balances")
TEMPLATES = ("credit_notes", "credit_note", "invoice_correct", "disputes", "dispute", "invoice_question", "balances")


def test_every_state_reason_and_way_has_words() -> None:
    assert {str(key) for key in REASONS} == set(CreditReason.values)
    assert {str(key) for key in METHODS} == set(RefundMethod.values)
    assert all(dispute_pill(state).text for state in DisputeState)
    assert all(refund_pill(state).text for state in RefundState)


def test_numbers_are_read_as_typed() -> None:
    assert read_decimal(" 12.50 ") == Decimal("12.50")
    assert read_decimal("  ") is None
    for text in ("x", "NaN", "Infinity", "1" * 41, "1,5"):
        with pytest.raises(ValueError, match=r".+"):
            read_decimal(text)


def test_every_word_of_corrections_is_said_in_chinese_too() -> None:
    app = Path(billing.__file__).parent
    said = set()
    for name in PAGES:
        said |= python_messages((app / "pages" / f"{name}.py").read_text(encoding="utf-8"))
    for name in TEMPLATES:
        said |= template_messages((app / "templates" / "billing" / f"{name}.html").read_text(encoding="utf-8"))
    assert len(said) > 90
    known = catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    assert {one for one in said if not known.get(one)} == set()
