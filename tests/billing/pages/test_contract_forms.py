"""The form of one change: the fields of its kind, and the document that it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.pages.contract_forms import KEPT_SHOWN_MAX, ChangeForm, HeaderForm, kind_choices, versions_of
from billing.rating.kinds import KINDS
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import TermKind
from tests.billing.world import APRIL, H100, make_world
from tests.factories import Cast, make_price_version

AT = "2026-03-05T12:00"
LEASE = LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal("2.35"))
HELD = (("one", "node · 0"), ("two", "node · 1"))


def said(kind: TermKind, given: dict[str, Any], *, known: bool = False) -> dict[str, Any] | None:
    form = ChangeForm({"from_at": AT, **given}, kind=kind, known=known)
    assert form.is_valid(), form.errors
    return form.document()


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_the_fields_of_its_wording_and_of_what_it_is_about(kind: TermKind) -> None:
    form = ChangeForm(None, kind=kind)
    names = {name.removeprefix("w-").partition(".")[0] for name in form.fields if name.startswith("w-")}
    assert names == set(KINDS[kind].wording.__struct_fields__)
    assert ("cards" in form.fields) is KINDS[kind].takes_slices
    assert ("deployments" in form.fields) is bool(KINDS[kind].quantities)
    assert "ends" not in form.fields
    assert "kept" not in form.fields
    assert len(form.wording_fields) + len(form.about_fields) == len(form.fields)
    assert "ends" in ChangeForm(None, kind=kind, known=True).fields


def test_every_kind_can_be_chosen() -> None:
    assert [kind for kind, _words in kind_choices()] == [str(kind) for kind in KINDS]


def test_fields_left_empty_are_not_said() -> None:
    document = said(TermKind.STORAGE, {"w-price_per_gb_month": "0.07"})
    assert document is not None
    assert (document["kind"], document["price_per_gb_month"]) == ("storage", "0.07")
    assert not [name for name, value in document.items() if value in ("", None)]


def test_the_form_shows_what_the_term_says_now() -> None:
    form = ChangeForm(None, kind=TermKind.LEASE, wording=LEASE, known=True, held=HELD)
    assert form["w-price_per_gpu_hour"].value() == "2.35"
    assert form["w-accelerator_model"].value() == H100
    assert form["kept"].value() == ["one", "two"]


def test_a_term_that_ends_says_nothing_else() -> None:
    assert said(TermKind.STORAGE, {"ends": "on", "w-price_per_gb_month": "0.07"}, known=True) is None


def test_parts_of_a_price_rule_are_said_inside_it() -> None:
    document = said(TermKind.PRICE_RULE, {"w-lock.from_at": "2026-03-01T00:00:00Z"})
    assert document is not None
    assert document["lock"] == {"from_at": "2026-03-01T00:00:00Z"}
    assert "pin" not in document


def test_a_list_is_a_table_with_a_row_for_each_entry() -> None:
    cells = {"w-ladder.0.below_percent": "99.9", "w-ladder.0.credit_percent": "10", "w-ladder.1.below_percent": ""}
    document = said(TermKind.AVAILABILITY, {**cells, "w-refs": "L-1, L-2"})
    assert document is not None
    assert document["ladder"] == [{"below_percent": "99.9", "credit_percent": "10"}]
    assert document["refs"] == ["L-1", "L-2"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"from_at": ""}, "from_at"),
        ({"title": "x" * 201}, "title"),
        ({"note": "x" * 1001}, "note"),
        ({"cards": "0"}, "cards"),
        ({"cards": "10001"}, "cards"),
        ({"cards": "many"}, "cards"),
        ({"kept": ["three"]}, "kept"),
        ({"w-renew_days": "1.5"}, "w-renew_days"),
        ({"w-at_end": "explode"}, "w-at_end"),
    ],
)
def test_what_cannot_be_is_refused_in_its_field(changed: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {"from_at": AT, "w-at_end": "expire", "w-billed": "arrears", "w-early_end": "none"}
    good |= {"w-extension_price": "locked", "kept": ["one"]}
    assert set(ChangeForm({**good, **changed}, kind=TermKind.LEASE, held=HELD).errors) == {field}
    assert not ChangeForm(good, kind=TermKind.LEASE, held=HELD).errors


@pytest.mark.parametrize(
    ("given", "others"),
    [
        ({"kept": ["two", "one"]}, False),
        ({"kept": ["one"]}, True),
        ({}, True),
        ({"kept": ["one", "two"], "cards": "1"}, True),
    ],
)
def test_other_slices_are_asked_for_only_by_a_change(given: dict[str, Any], others: bool) -> None:
    form = ChangeForm({"from_at": AT, **given}, kind=TermKind.LEASE, known=True, held=HELD)
    form.is_valid()
    assert form.is_about_others is others


def test_a_term_with_many_slices_keeps_them_all_unseen() -> None:
    held = [(str(number), "card") for number in range(KEPT_SHOWN_MAX + 1)]
    form = ChangeForm({"from_at": AT}, kind=TermKind.LEASE, known=True, held=held)
    form.is_valid()
    assert "kept" not in form.fields
    assert not form.is_about_others
    assert len(form.held) == KEPT_SHOWN_MAX + 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"party": "not a slug"}, "party"),
        ({"currency": "US"}, "currency"),
        ({"currency": "USDX"}, "currency"),
        ({"time_zone": "x" * 65}, "time_zone"),
        ({"begins_at": ""}, "begins_at"),
        ({"price_book": "another's"}, "price_book"),
    ],
)
def test_a_header_out_of_shape_is_refused_in_its_field(changed: dict[str, Any], field: str) -> None:
    good = {"party": "user", "currency": "USD", "time_zone": "UTC", "begins_at": AT}
    assert HeaderForm(good, books=()).is_valid()
    assert set(HeaderForm({**good, **changed}, books=()).errors) == {field}


def test_a_pin_names_one_of_the_books_versions(cast: Cast) -> None:
    world = make_world(tokens={("m", "output"): "1"}, time_zone="Asia/Shanghai")
    assert world.book is not None
    make_price_version(world.book, number=2, effective_at=APRIL, tokens={("m", "output"): "2"})
    versions = versions_of(world.contract, "en")
    assert [words for _key, words in versions] == ["v2 · from Apr 1, 2026 08:00 CST", "v1 · from Mar 1, 2026 08:00 CST"]
    form = ChangeForm(
        {"from_at": AT, "w-pin.price_version_id": versions[1][0]}, kind=TermKind.PRICE_RULE, versions=versions
    )
    assert form.is_valid(), form.errors
    document = form.document()
    assert document is not None
    assert document["pin"] == {"price_version_id": versions[1][0]}
    assert "w-pin.price_version_id" in ChangeForm({"w-pin.price_version_id": "v1"}, kind=TermKind.PRICE_RULE).errors
    world.contract.price_book = None
    assert versions_of(world.contract, "en") == []
