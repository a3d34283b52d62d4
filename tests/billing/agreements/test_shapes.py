"""What the contracts API takes: bounds of numbers, lengths, and what goes without saying."""

from __future__ import annotations

from typing import Any

import pytest

from billing.agreements.shapes import (
    AcceptSerializer,
    DraftSerializer,
    OfferSerializer,
    ProposalSerializer,
    ProposedChangeSerializer,
)

DRAFT = {
    "provider": "owner",
    "tenant": "user",
    "currency": "USD",
    "time_zone": "UTC",
    "from_at": "2026-03-01T00:00",
    "changes": [{}],
}
CHANGE = {"from_at": "2026-03-01T00:00", "wording": {"kind": "lease"}}


def test_what_goes_without_saying() -> None:
    offer, draft = OfferSerializer(data={}), DraftSerializer(data=DRAFT)
    assert offer.is_valid()
    assert offer.validated_data == {"days": 14}
    assert draft.is_valid(), draft.errors
    said = draft.validated_data
    assert (said["due_days"], said["grace_hours"], said["note"]) == (14, 48, "")
    assert (said["period_kind"], said["collection"]) == ("calendar_month", "send_invoice")
    assert "price_book" not in said


@pytest.mark.parametrize(
    "changed",
    [
        {"period_length_s": 0},
        {"period_length_s": 2**31},
        {"due_days": -1},
        {"due_days": 366},
        {"grace_hours": 8761},
        {"grace_hours": -1},
        {"currency": "USDX"},
        {"time_zone": "x" * 65},
        {"price_book_id": "no id"},
        {"period_kind": "lunar"},
        {"collection": "by post"},
        {"provider": "not a slug"},
        {"tenant": ""},
        {"note": "x" * 1001},
        {"changes": {}},
    ],
)
def test_a_draft_out_of_bounds_is_refused_by_its_field(changed: dict[str, Any]) -> None:
    draft = DraftSerializer(data={**DRAFT, **changed})
    assert not draft.is_valid()
    assert set(draft.errors) == set(changed)


@pytest.mark.parametrize("name", ["provider", "tenant", "currency", "time_zone", "from_at", "changes"])
def test_a_draft_names_what_is_missing(name: str) -> None:
    draft = DraftSerializer(data={key: value for key, value in DRAFT.items() if key != name})
    assert not draft.is_valid()
    assert set(draft.errors) == {name}


@pytest.mark.parametrize(
    "changed",
    [
        {"due_days": 0},
        {"due_days": 365},
        {"grace_hours": 0},
        {"grace_hours": 8760},
        {"period_length_s": 2**31 - 1},
        {"to_at": None},
        {"price_book_id": None},
        {"note": "x" * 1000},
    ],
)
def test_a_draft_at_its_bounds_is_taken(changed: dict[str, Any]) -> None:
    assert DraftSerializer(data={**DRAFT, **changed}).is_valid()


@pytest.mark.parametrize(("days", "taken"), [(0, False), (1, True), (365, True), (366, False), ("soon", False)])
def test_an_offer_stands_for_a_day_to_a_year(days: Any, taken: bool) -> None:
    assert OfferSerializer(data={"days": days}).is_valid() is taken


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"name": "A", "sha256": "0" * 64}, set()),
        ({"name": "A" * 201, "sha256": "0" * 64}, {"name"}),
        ({"name": " ", "sha256": "0" * 64}, {"name"}),
        ({"name": "A", "sha256": "0" * 65}, {"sha256"}),
        ({}, {"name", "sha256"}),
    ],
)
def test_a_word_has_a_name_and_a_hash(given: dict[str, str], wrong: set[str]) -> None:
    word = AcceptSerializer(data=given)
    assert word.is_valid() is not bool(wrong)
    assert set(word.errors) == wrong


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, set()),
        ({"wording": None}, set()),
        ({"slices": None, "deployments": None, "to_at": None}, set()),
        ({"slices": ["no id"]}, {"slices"}),
        ({"deployments": "none"}, {"deployments"}),
        ({"wording": "lease"}, {"wording"}),
        ({"title": "x" * 201}, {"title"}),
        ({"from_at": None}, {"from_at"}),
    ],
)
def test_a_change_is_described_as_it_is_read(changed: dict[str, Any], wrong: set[str]) -> None:
    change = ProposedChangeSerializer(data={**CHANGE, **changed})
    change.is_valid()
    assert set(change.errors) == wrong


def test_changes_go_on_to_the_reader_as_they_came() -> None:
    """So that one unreadable change is told by its place and field, not by the framework."""
    taken = ProposalSerializer(data={"changes": [CHANGE, 5, "text"]})
    assert taken.is_valid(), taken.errors
    assert taken.validated_data["changes"] == [CHANGE, 5, "text"]
