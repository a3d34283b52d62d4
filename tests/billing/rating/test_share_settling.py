"""What a share says of its settlement stands for the whole bill; what it leaves out is the contract's."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.share_settling import Settling, contradiction, settle_by
from billing.rating.share_words import ShareSettlement
from billing.rating.storage import StorageWording
from billing.rating.wording import Stretch, read_wording
from tests.billing.rating.share_made import APRIL, MAY, april, wording
from tests.examples import examples

DAYS = st.none() | st.integers(0, 400)
SETTLEMENTS = st.builds(ShareSettlement, due_days=DAYS, cut_off_grace_hours=DAYS, dispute_days=DAYS)


def stretch(start: int = 1, **settlement: int) -> Stretch[Any]:
    return Stretch(1, april(start), MAY, wording(settlement=settlement))


def test_a_contract_without_a_share_goes_by_its_own() -> None:
    storage = read_wording(StorageWording, {"kind": "storage", "price_per_gb_month": "0.1"})
    terms = [(Stretch(1, APRIL, MAY, storage),), ()]
    assert settle_by(terms, due_days=14, grace_hours=48) == Settling(14, 48)


def test_a_share_stands_in_place_of_the_contract_where_it_says_something() -> None:
    assert settle_by([(stretch(due_days=0),)], due_days=14, grace_hours=48) == Settling(0, 48)
    said = stretch(due_days=30, cut_off_grace_hours=72, dispute_days=10)
    found = settle_by([(said,)], due_days=14, grace_hours=48)
    assert found == Settling(30, 72, 10)
    assert found.due_at(MAY) == MAY + timedelta(days=30)
    assert found.open_until(MAY) == MAY + timedelta(days=3)
    assert found.disputed_until(MAY) == MAY + timedelta(days=10)
    assert Settling(14, 48).disputed_until(MAY) is None


def test_the_last_wording_of_a_period_counts_and_of_two_shares_the_longer_time() -> None:
    amended = (Stretch(1, APRIL, april(10), wording(settlement={"due_days": 60})), stretch(10, due_days=7))
    assert settle_by([amended], due_days=14, grace_hours=48).due_days == 7
    assert settle_by([amended, (stretch(due_days=9),)], due_days=14, grace_hours=48).due_days == 9


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(DAYS, DAYS, DAYS), max_size=4))
def test_a_bill_goes_by_something_that_was_said(values: list[tuple[int | None, int | None, int | None]]) -> None:
    names = ("due_days", "cut_off_grace_hours", "dispute_days")
    said = [
        (stretch(**{name: value for name, value in zip(names, each, strict=True) if value is not None}),)
        for each in values
    ]
    found = settle_by(said, due_days=14, grace_hours=48)
    for place, (value, own) in enumerate(((found.due_days, 14), (found.grace_hours, 48), (found.dispute_days, None))):
        stated = [each[place] for each in values if each[place] is not None]
        assert value in stated if stated else value == own
    assert settle_by(reversed(said), due_days=14, grace_hours=48) == found


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({}, {"due_days": 3}, None),
        ({"due_days": 3}, {"due_days": 3}, None),
        ({"due_days": 0}, {"due_days": 3}, ("due_days", 0)),
        ({"cut_off_grace_hours": 5}, {"cut_off_grace_hours": 6}, ("cut_off_grace_hours", 5)),
        ({"due_days": 3, "dispute_days": 5}, {"dispute_days": 6}, ("dispute_days", 5)),
    ],
)
def test_a_contradiction_is_two_different_values(
    left: dict[str, int], right: dict[str, int], found: tuple[str, int] | None
) -> None:
    assert contradiction(ShareSettlement(**left), ShareSettlement(**right)) == found


@settings(max_examples=examples(25))
@given(SETTLEMENTS, SETTLEMENTS)
def test_a_contradiction_is_one_from_either_side(left: ShareSettlement, right: ShareSettlement) -> None:
    assert (contradiction(left, right) is None) == (contradiction(right, left) is None)
    assert contradiction(left, left) is None
