"""Ids whether expanded or not, what we wrote on an object, and whole seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.stripe_gateway.references import METADATA_REFERENCE, id_of, instant, seconds, written
from tests.examples import examples

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Expanded:
    """What Stripe sends in full."""

    id: str


@dataclass
class Metadata:
    """What is written on an object."""

    texts: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, str]:
        return self.texts


@pytest.mark.parametrize(("given_", "found"), [(None, None), ("cus_1", "cus_1"), (Expanded("cus_1"), "cus_1")])
def test_an_id_is_the_same_whether_it_is_expanded(given_: str | Expanded | None, found: str | None) -> None:
    assert id_of(given_) == found


@pytest.mark.parametrize(
    ("metadata", "name", "found"),
    [
        (None, METADATA_REFERENCE, ""),
        (Metadata(), METADATA_REFERENCE, ""),
        (Metadata({METADATA_REFERENCE: "r-1"}), METADATA_REFERENCE, "r-1"),
        (Metadata({METADATA_REFERENCE: "r-1"}), "other", ""),
        (Metadata({"other": "o"}), "other", "o"),
    ],
)
def test_what_we_wrote_is_read_and_nothing_else(metadata: Metadata | None, name: str, found: str) -> None:
    assert written(metadata, name) == found


def test_our_reference_is_read_without_naming_it() -> None:
    assert written(Metadata({METADATA_REFERENCE: "r-1", "other": "o"})) == "r-1"


@settings(max_examples=examples(25))
@given(at_s=st.integers(0, 4_000_000_000))
def test_seconds_come_back_as_they_went(at_s: int) -> None:
    assert seconds(instant(at_s)) == at_s
    assert instant(at_s).tzinfo == UTC


@pytest.mark.parametrize(
    ("at", "whole"),
    [
        (MARCH, 1_772_323_200),
        (MARCH + timedelta(microseconds=999_999), 1_772_323_200),
        (datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8))), 1_772_323_200),
    ],
)
def test_an_instant_of_any_zone_is_its_whole_second(at: datetime, whole: int) -> None:
    assert seconds(at) == whole


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(AssertionError):
        seconds(datetime(2026, 3, 1))  # noqa: DTZ001  what must not come
