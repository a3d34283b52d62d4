"""Movements and files of a bank in words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.banking.matching import Rule
from billing.models import BankAccount, BankImport, BankLine, BankLineState
from billing.pages.bank_words import (
    TEXT_SHOWN,
    LineEntry,
    fault_words,
    import_words,
    line_entry,
    rule_words,
    state_pill,
)

FAULTS = ("unreadable", "conflict", "account_unknown", "wrong_currency", "wrong_amount")


def entry(left: str | None = None, *, of_file: bool = False, **parts: str) -> LineEntry:
    line = BankLine(
        account=BankAccount(number="DE89370400440532013000"),
        booked_on=date(2026, 4, 14),
        amount=Decimal("100.00"),
        currency="EUR",
        state=BankLineState.NEW,
        **parts,
    )
    if left is not None:
        line.left_amount = Decimal(left)  # type: ignore[attr-defined]  # an annotation of the query
    return line_entry(line, "en_GB", of_file=of_file)


def imported(**parts: object) -> dict[str, object]:
    about = {"kind": "camt", "name": "april.xml", "sha256": "ab" * 32, "stored": 1200, "known": 3, "by": "petra"}
    made = BankImport(created_at=datetime(2026, 4, 15, 7, tzinfo=UTC), **{**about, **parts})
    return dict(import_words(made, "en_GB"))


def test_every_state_rule_and_fault_has_words_of_its_own() -> None:
    assert len({state_pill(state).text for state in BankLineState}) == len(BankLineState)
    rules = [*(rule.value for rule in Rule), "by_hand"]
    assert len({rule_words(rule) for rule in rules}) == len(rules)
    said = [fault_words({"code": code, "place": "line 3", "detail": "found 'x'"}) for code in FAULTS]
    assert len({one["what"] for one in said}) == len(FAULTS)
    assert {(one["place"], one["detail"]) for one in said} == {("line 3", "found 'x'")}


def test_what_has_its_place_in_part_is_not_called_without_an_idea() -> None:
    assert state_pill(BankLineState.UNMATCHED).text == "Without an idea"
    assert state_pill(BankLineState.UNMATCHED, in_part=True).text == "Matched in part"
    assert state_pill(BankLineState.SUGGESTED, in_part=True) == state_pill(BankLineState.SUGGESTED)


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        (None, ""),
        ("0", ""),
        ("100.00", ""),
        ("0.01", "€0.01"),
        ("99.99", "€99.99"),
    ],
)
def test_what_is_left_is_shown_where_a_part_of_it_waits(left: str | None, shown: str) -> None:
    assert entry(left).left == shown


def test_of_a_movement_read_with_its_file_nothing_is_said_to_be_left() -> None:
    assert entry("50.00", of_file=True).left == ""


def test_a_movement_shows_day_amount_and_the_account_as_it_is_printed() -> None:
    found = entry("100.00", payer="Payer Ltd", structured="RF40INV0001", text="thanks")
    assert (found.day, found.amount, found.payer) == ("14 Apr 2026", "€100.00", "Payer Ltd")
    assert found.account == "DE89 3704 0044 0532 0130 00"
    assert found.text == "RF40INV0001 · thanks"


def test_a_movement_without_a_payer_or_words_says_so() -> None:
    assert (entry().payer, entry().text) == ("unknown payer", "")
    assert entry(text="thanks").text == "thanks"


@pytest.mark.parametrize(("length", "cut"), [(TEXT_SHOWN - 1, False), (TEXT_SHOWN, False), (TEXT_SHOWN + 1, True)])
def test_long_words_are_cut_and_the_cut_is_shown(length: int, *, cut: bool) -> None:
    shown = entry(text="x" * length).text
    assert shown.endswith("…") == cut
    assert len(shown) == (TEXT_SHOWN + 1 if cut else length)


def test_a_file_is_called_by_its_name_or_by_the_beginning_of_its_digest() -> None:
    assert imported()["name"] == "april.xml"
    assert imported(name="")["name"] == "ab" * 6
    assert (imported()["kind"], imported(kind="csv")["kind"]) == ("camt.053", "CSV")


@pytest.mark.parametrize(("refused", "whole"), [(0, True), (1, False)])
def test_a_file_with_a_refused_row_is_not_whole(refused: int, *, whole: bool) -> None:
    said = imported(refused=refused)
    assert (said["is_whole"], said["refused"], said["stored"]) == (whole, str(refused), "1,200")
