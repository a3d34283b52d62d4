"""Forms of leases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.models import Contract
from billing.pages.lease_forms import EndForm, WishForm, what_value, what_words
from clusters.capacity import COUNT_MAX, Wish
from clusters.models import SliceKind
from tenants.models import Organization

NOW = datetime(2026, 3, 9, 22, 59, 59, tzinfo=UTC)
WHOLE = ("sample", SliceKind.WHOLE, "")
PART = ("sample", SliceKind.MIG, "1g.10gb")
QUARTER = ("sample", SliceKind.FRACTION, "0250")


def contract(number: str, zone: str) -> Contract:
    return Contract(number=number, time_zone=zone, provider=Organization(name="Quarry"))


CONTRACTS = [contract("C-1", "Europe/Berlin"), contract("C-2", "Asia/Tokyo")]
GIVEN = {
    "contract": "C-1",
    "what": what_value(*WHOLE),
    "count": "2",
    "from_at": "2026-03-10T08:00",
    "to_at": "2026-03-24T08:00",
}


def form(**changes: str) -> WishForm:
    return WishForm(GIVEN | changes, contracts=CONTRACTS, offered=[WHOLE, PART, QUARTER], now=NOW)


def test_a_wish_is_read_in_the_zone_of_the_chosen_contract() -> None:
    made = form()
    assert made.is_valid()
    assert made.chosen() is CONTRACTS[0]
    assert made.wish() == Wish(
        "sample", 2, datetime(2026, 3, 10, 7, tzinfo=UTC), datetime(2026, 3, 24, 7, tzinfo=UTC), SliceKind.WHOLE, ""
    )
    east = form(contract="C-2", what=what_value(*PART))
    assert east.is_valid()
    wish = east.wish()
    assert (wish.from_at, wish.kind, wish.profile) == (
        datetime(2026, 3, 9, 23, tzinfo=UTC),
        SliceKind.MIG,
        "1g.10gb",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contract", "C-9"),
        ("what", "sample|whole"),
        ("what", "other|whole|"),
        ("count", "0"),
        ("count", str(COUNT_MAX + 1)),
        ("count", "1.5"),
        ("from_at", ""),
        ("from_at", "Monday"),
        ("to_at", "1999-12-31T00:00"),
    ],
)
def test_what_is_not_offered_is_refused_at_its_field(field: str, value: str) -> None:
    made = form(**{field: value})
    assert not made.is_valid()
    assert list(made.errors) == [field]


def test_a_time_that_is_twice_is_refused_with_both_instants() -> None:
    made = form(from_at="2026-10-25T02:30", to_at="2026-11-01T00:00")
    assert not made.is_valid()
    [said] = made.errors["from_at"]
    assert "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00" in said
    assert form(contract="C-2", from_at="2026-10-25T02:30", to_at="2026-11-01T00:00").is_valid()


def test_an_empty_form_is_in_the_zone_of_the_first_contract() -> None:
    empty = WishForm(contracts=CONTRACTS, offered=[], now=NOW)
    assert empty.zone == "Europe/Berlin"
    assert empty["from_at"].value() == "2026-03-09T23:59"
    assert "Europe/Berlin" in str(empty.fields["from_at"].help_text)
    assert WishForm(contracts=[], offered=[], now=NOW).zone == "UTC"
    assert form(contract="C-9").zone == "Europe/Berlin"


def test_two_forms_do_not_share_a_zone() -> None:
    west, east = EndForm({"at": "2026-03-10T08:00"}, zone="UTC"), EndForm({"at": "2026-03-10T08:00"}, zone="Asia/Tokyo")
    assert west.is_valid()
    assert east.is_valid()
    assert (west.cleaned_data["at"] - east.cleaned_data["at"]).total_seconds() == 9 * 3600


def test_a_time_that_never_was_is_refused_as_an_end() -> None:
    gap = EndForm({"at": "2026-03-29T02:30"}, zone="Europe/Berlin")
    assert not gap.is_valid()
    assert "does not exist, since clocks go forward in Europe/Berlin then" in gap.errors["at"][0]


def test_cards_are_said_whole_by_profile_or_in_parts() -> None:
    assert [what_words(*one) for one in (WHOLE, PART, ("sample", SliceKind.MIG, ""), QUARTER)] == [
        "sample",
        "sample MIG 1g.10gb",
        "sample MIG",
        "¼ × sample",
    ]


def test_a_fraction_is_wished_for_by_its_size() -> None:
    made = form(what=what_value(*QUARTER))
    assert made.is_valid()
    assert (made.wish().kind, made.wish().profile, made.wish().share_permille) == (SliceKind.FRACTION, "", 250)
