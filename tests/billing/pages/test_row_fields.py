"""Lists in forms: words between commas, tables of entries, entries of entries in one cell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django import forms

from billing.pages.contract_forms import ChangeForm
from billing.pages.row_fields import BLANK_ROWS, Column, JsonField, KnownWordsField, NestedField, RowsField, WordsField
from billing.rating.kinds import KINDS, kind_of_wording, read_any_wording
from billing.rating.rated import TermKind
from billing.rating.wording import Wording, WrongWording
from tests.billing.pages.sending import sent_by_a_browser
from tests.cases.load import load_cases

AT = "2026-03-05T12:00"
KINDS_SAID = {str(kind) for kind in KINDS}


def agreed(given: Any) -> Iterator[Wording]:
    """The wordings that worked cases agree on."""
    for each in given.values() if isinstance(given, dict) else given if isinstance(given, list) else ():
        yield from agreed(each)
    if isinstance(given, dict) and given.get("kind") in KINDS_SAID:
        said = {"witness": "gateway", **given, **given.get("wording", {})}
        names = ("kind", *KINDS[TermKind(said["kind"])].wording.__struct_fields__)
        with suppress(WrongWording):  # some cases only name the kind
            yield read_any_wording({name: said[name] for name in names if name in said})


PRICE_RULE = {
    "kind": "price_rule",
    "notice_days": 30,
    "lock": {"from_at": "2026-03-01T00:00:00Z"},
    "overrides": [
        {"model": "m", "quantity": "output", "price_per_mtok": "0.5"},
        {"model": "m", "quantity": "output", "context_over": 200_000, "price_per_mtok": "1"},
    ],
}
DEBIT = {"kind": "debit", "amount": "40.00", "cause": "late_fee", "invoice": "INV-0001", "reason": "Fee of 40.00"}
WORDINGS = [read_any_wording(PRICE_RULE), read_any_wording(DEBIT)]
WORDINGS += [wording for case in load_cases() if "refused" not in case.name for wording in agreed(case.given)]


MODES = [("", "–"), ("a", "a"), ("b", "b")]
STEP = {
    "from": forms.IntegerField(label="from"),
    "to": forms.IntegerField(label="to"),
    "price": forms.CharField(label="price"),
}


class Prices(forms.Form):
    """A table with a part that must be said, one of a list, and one with a value of its own."""

    prices = RowsField(
        label="prices",
        columns=[
            Column("model", forms.CharField(label="model")),
            Column("price", forms.DecimalField(label="price", required=False)),
            Column("unit", forms.CharField(label="unit", initial="per_mtok", required=False)),
            Column(
                "mode", forms.ChoiceField(label="mode", choices=[("", "–"), ("a", "a"), ("b", "b")], required=False)
            ),
            Column("days", WordsField(label="days", required=False)),
            Column("steps", NestedField(label="steps", parts=STEP, required=False)),
        ],
    )


def sent(*rows: dict[str, str]) -> dict[str, str]:
    whole = {"model": "", "price": "", "unit": "per_mtok", "mode": "", "days": "", "steps": ""}
    return {
        f"prices.{number}.{name}": value for number, row in enumerate(rows) for name, value in {**whole, **row}.items()
    }


def said(*rows: dict[str, str]) -> Any:
    form = Prices(sent(*rows))
    assert form.is_valid(), form.errors
    return form.cleaned_data["prices"]


def test_rows_left_as_they_were_are_left_out_wherever_they_stand() -> None:
    (row,) = said({}, {"model": "m", "price": "0.5", "mode": "a"}, {})
    assert (row["model"], str(row["price"]), row["unit"], row["mode"]) == ("m", "0.5", "per_mtok", "a")
    assert "days" not in row


@pytest.mark.parametrize("part", [{"mode": "b"}, {"unit": "per_image"}, {"steps": "0 1 2"}])
def test_one_part_that_differs_from_an_untouched_row_makes_a_row(part: dict[str, str]) -> None:
    assert "Row 1, model" in str(Prices(sent(part)).errors)


def test_entries_of_an_entry_stand_in_one_cell() -> None:
    (row,) = said({"model": "m", "days": "mon, ,tue ", "steps": "0 10 3.00; 10 – 2;"})
    assert row["days"] == ["mon", "tue"]
    assert row["steps"] == [{"from": 0, "to": 10, "price": "3.00"}, {"from": 10, "price": "2"}]


def test_known_words_are_shown_and_read_as_people_call_them_or_as_they_are() -> None:
    days = KnownWordsField(known={"mon": "Mondays", "tue": "Tuesdays"}, label="days", required=False)
    assert days.prepare_value(["mon", "tue", "some"]) == "Mondays, Tuesdays, some"
    assert days.clean("mondays,Tue, Some") == ["mon", "tue", "Some"]
    assert days.clean("mondays\N{FULLWIDTH COMMA}Tue\N{IDEOGRAPHIC COMMA}Some") == ["mon", "tue", "Some"]
    assert days.clean("") == ""
    assert days.prepare_value("Mondays, x") == "Mondays, x"
    assert Column("days", days).hint == "such as: Mondays, Tuesdays"
    assert days.help_text == "With commas between them, such as: Mondays, Tuesdays"


@pytest.mark.parametrize("steps", ["0 10", "0 10 3 4", "0 10 3; 1"])
def test_an_entry_of_another_length_is_refused_with_what_was_expected(steps: str) -> None:
    wrong = Prices(sent({"model": "m"}, {"model": "n", "steps": steps}))
    assert not wrong.is_valid()
    assert "Row 2, steps" in str(wrong.errors)
    assert "expected 3: from, to, price" in str(wrong.errors)
    assert "whole number" in str(Prices(sent({"model": "n", "steps": "0 ten 3"})).errors)


def test_what_is_wrong_is_named_by_row_and_part_and_all_of_it_at_once() -> None:
    wrong = Prices(sent({"model": "m", "price": "dear"}, {"price": "1", "mode": "z"}))
    words = wrong.errors["prices"].as_text()
    for part in ("Row 1, price", "Row 2, model", "Row 2, mode"):
        assert part in words


def test_a_table_that_must_have_a_row_says_so() -> None:
    assert Prices(sent({})).errors["prices"] == ["This field is required."]
    assert Prices({}).errors["prices"] == ["This field is required."]


def test_the_table_has_room_for_more_and_a_name_for_each_cell() -> None:
    form = Prices(initial={"prices": [{"model": "m", "days": ["mon"], "steps": [{"from": "0", "price": "3"}]}]})
    page = str(form["prices"])
    assert page.count("<tr>") == 1 + 1 + BLANK_ROWS
    fields = sent_by_a_browser(page)
    assert (fields["prices.0.model"], fields["prices.0.days"]) == ("m", "mon")
    assert fields["prices.0.steps"] == "0 – 3"
    assert fields["prices.1.unit"] == "per_mtok"
    assert 'aria-label="price, row 2"' in page
    assert "from, to, price" in page


def test_what_was_typed_wrongly_is_shown_again() -> None:
    page = str(Prices(sent({"model": "<m>", "price": "dear", "steps": "0 1"}))["prices"])
    fields = sent_by_a_browser(page)
    assert (fields["prices.0.model"], fields["prices.0.price"], fields["prices.0.steps"]) == ("<m>", "dear", "0 1")
    assert "<m>" not in page


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(forms.ValidationError, match="This is no JSON"):
        JsonField().clean("[{")
    assert JsonField().clean('[{"a": 1}]') == [{"a": 1}]
    assert JsonField().prepare_value([1]) == "[1]"


def test_the_cases_say_every_kind_of_term() -> None:
    assert {kind_of_wording(wording) for wording in WORDINGS} == set(KINDS)


@pytest.mark.parametrize("wording", WORDINGS, ids=[f"{place}" for place in range(len(WORDINGS))])
def test_a_form_sent_back_untouched_says_what_it_showed(wording: Wording) -> None:
    kind = kind_of_wording(wording)
    fields = sent_by_a_browser(str(ChangeForm(None, kind=kind, wording=wording)))
    held = {"cards": "1"} if kind == TermKind.LEASE else {}  # a lease that holds nothing is refused
    again = ChangeForm({**fields, **held, "from_at": AT}, kind=kind, wording=wording)
    assert again.is_valid(), again.errors
    document = again.document()
    assert document is not None
    assert read_any_wording(document) == wording
