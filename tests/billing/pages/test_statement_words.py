"""A provider's statement in words and figures: read from the frozen document, nothing worked out anew but sums."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import ProviderStatement
from billing.pages.statement_words import (
    ROWS_SHOWN_MAX,
    earned_rows,
    kpis,
    month_words,
    moved_rows,
    reconciled_rows,
    section_words,
    term_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS = (
    "gross", "excluded", "base", "share", "rent", "guarantee", "cap", "adjustments", "reserve", "sales", "deposits",
)  # fmt: skip


def statement(closing: str = "0") -> ProviderStatement:
    figures = {"opening": "10", "earned": "100", "tax": "19", "deposit": "5", "received": "-3", "moved": "-1"}
    return ProviderStatement(
        currency="EUR",
        paid_out=Decimal(-30),
        closing=Decimal(closing),
        **{name: Decimal(value) for name, value in figures.items()},
    )


def term(
    kind: str = "token_share",
    *,
    rows: int = 1,
    percent: str | None = "30",
    sections: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> Any:
    row = {
        "rule": "token_share_list_price",
        "share_percent": percent,
        "model": "sample-model",
        "class": "output",
        "quantity": "2500000",
        "base": "2.75",
        "exact": "0.825",
    }
    return {
        "term": "T-1",
        "contract": "C-1",
        "tenant": "Tenant",
        "kind": kind,
        "amount": "0.83",
        "rounding": "0.005",
        "sections": {name: {"base": base, "exact": exact} for name, (base, exact) in sections.items()},
        "rows": [row] * rows,
    }


def reconciled(**parts: Any) -> dict[str, Any]:
    row = {
        "contract": "C-1",
        "model": "sample-model",
        "class": "output",
        "billed": "1000000",
        "control": "999000",
        "residual": "1000",
        "compared": "1",
        "residual_percent": "0.1",
        "within": True,
    }
    [said] = reconciled_rows({"reconciliation": [{**row, **parts}]})
    return said


@pytest.mark.parametrize(
    ("month", "locale", "words"),
    [
        (date(2026, 3, 1), "en_GB", "March 2026"),
        (date(2026, 12, 1), "en_GB", "December 2026"),
        (date(2026, 3, 1), "zh_Hans_CN", "2026年3月"),
    ],
)
def test_a_month_is_said_in_the_readers_language(month: date, locale: str, words: str) -> None:
    assert month_words(month, locale) == words


def test_every_part_of_a_waterfall_has_a_name_of_its_own() -> None:
    assert len({section_words(section) for section in SECTIONS}) == len(SECTIONS)


@pytest.mark.parametrize(
    ("closing", "shown", "foot"),
    [
        ("0.01", "€0.01", "owed to you"),
        ("0", "€0.00", "owed to you"),
        ("-0.01", "\N{MINUS SIGN}€0.01", "carried"),
    ],
)
def test_a_balance_below_zero_is_carried_and_never_said_to_be_owed(closing: str, shown: str, foot: str) -> None:
    last = kpis(statement(closing), "en_GB")[-1]
    assert (last.value, last.foot) == (shown, foot)


def test_the_figures_are_those_that_lead_from_one_balance_to_the_other() -> None:
    values = [one.value for one in kpis(statement("100"), "en_GB")]
    minus = "\N{MINUS SIGN}"
    assert values == ["€10.00", "€100.00", "€24.00", f"{minus}€3.00", f"{minus}€1.00", f"{minus}€30.00", "€100.00"]


def test_earned_rows_tell_drawn_credit_from_invoices() -> None:
    row = {
        "number": "INV-1", "kind": "invoice", "tenant": "Tenant", "contract": "C-1",
        "total": "119", "deposit": "0", "fee": "-5", "tax": "19", "net": "95",
    }  # fmt: skip
    invoice, credit = earned_rows({"earned": [row, {**row, "kind": "credit"}]}, "EUR", "en_GB")
    assert (invoice["kind"], credit["kind"]) == ("", "drawn credit")
    assert (invoice["total"], invoice["fee"], invoice["net"]) == ("€119.00", "\N{MINUS SIGN}€5.00", "€95.00")


def test_more_rows_than_a_page_shows_are_cut() -> None:
    moved = [{"at": "2026-03-05T06:07:00+00:00", "memo": f"{place}", "amount": "1"} for place in range(300)]
    assert len(moved_rows(moved, "EUR", "en_GB")) == ROWS_SHOWN_MAX
    assert len(moved_rows(iter(moved[:ROWS_SHOWN_MAX]), "EUR", "en_GB")) == ROWS_SHOWN_MAX
    assert moved_rows([], "EUR", "en_GB") == []
    [told] = term_rows({"terms": [term(rows=ROWS_SHOWN_MAX + 1)]}, "EUR", "en_GB")
    assert (len(told["rows"]), told["parts"]) == (ROWS_SHOWN_MAX, f"{ROWS_SHOWN_MAX + 1} rows")


def test_a_movement_names_its_instant_in_utc() -> None:
    [row] = moved_rows([{"at": "2026-03-31T23:30:00+00:00", "memo": "paid", "amount": "-12.5"}], "USD", "en_GB")
    assert row["amount"] == "\N{MINUS SIGN}$12.50"
    assert "31 Mar 2026" in row["at"]
    [east] = moved_rows([{"at": "2026-04-01T01:30:00+02:00", "memo": "paid", "amount": "1"}], "USD", "en_GB")
    assert east["at"] == row["at"]


def test_the_base_of_a_share_is_what_was_certified_without_what_is_not_shared() -> None:
    sections = {"gross": ("100", "0"), "excluded": ("-20", "0"), "share": ("80", "24")}
    [shared] = term_rows({"terms": [term(sections=sections)]}, "EUR", "en_GB")
    assert shared["base"] == "€80.0000"
    assert [(one["name"], one["amount"]) for one in shared["sections"]][-1] == ("Share", "€24.0000")
    [other] = term_rows({"terms": [term(kind="lease", sections=sections)]}, "EUR", "en_GB")
    assert other["base"] == ""


def test_a_row_names_its_share_or_that_it_is_one() -> None:
    [told] = term_rows({"terms": [term()]}, "EUR", "en_GB")
    [row] = told["rows"]
    assert (row["name"], row["model"], row["quantity"], row["amount"]) == (
        "30 % of list price",
        "sample-model · output",
        "2,500,000",
        "€0.8250",
    )
    [told] = term_rows({"terms": [term(percent=None)]}, "EUR", "en_GB")
    assert told["rows"][0]["name"] == "a share of list price"


@pytest.mark.parametrize(("within", "tone"), [(True, "good"), (False, "warn"), (None, "")])
def test_two_witnesses_agree_or_not_or_there_is_one(within: bool | None, tone: str) -> None:
    assert reconciled(within=within)["pill"].tone == tone


def test_figures_of_a_witness_that_was_not_compared_are_not_shown_as_zero() -> None:
    said = reconciled(compared="0", control="0", residual="0", residual_percent=None, within=None)
    assert (said["control"], said["residual"], said["percent"]) == ("–", "–", "–")
    both = reconciled()
    assert (both["billed"], both["control"], both["residual"], both["percent"]) == (
        "1,000,000",
        "999,000",
        "1,000",
        "0.10%",
    )
