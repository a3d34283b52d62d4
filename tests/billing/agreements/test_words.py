from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.agreements.words import Difference, Said, differences, said_by
from billing.rating.availability import AvailabilityWording, Step
from billing.rating.lease_wording import AtEnd, LeaseWording
from billing.rating.share_wording import TokenShareWording
from tests.examples import examples

LEASE = LeaseWording(accelerator_model="H100", price_per_gpu_hour=Decimal("2.350"))
prices = st.decimals(min_value=0, max_value=1000, places=4)


def test_a_wording_says_what_does_not_go_without_saying() -> None:
    assert said_by(LEASE) == (Said("accelerator_model", "H100"), Said("price_per_gpu_hour", "2.35"))
    assert said_by(None) == ()
    renewed = LeaseWording(accelerator_model="H100", at_end=AtEnd.RENEW, renew_days=30)
    assert said_by(renewed) == (Said("accelerator_model", "H100"), Said("at_end", "renew"), Said("renew_days", "30"))


def test_parts_of_a_wording_are_said_by_their_place() -> None:
    ladder = (
        Step(below_percent=Decimal("99.9"), credit_percent=Decimal(10)),
        Step(below_percent=Decimal(99), credit_percent=Decimal(25)),
    )
    said = {each.field: each.text for each in said_by(AvailabilityWording(ladder=ladder, refs=("L-1", "L-2")))}
    assert said == {
        "ladder[0].below_percent": "99.9",
        "ladder[0].credit_percent": "10",
        "ladder[1].below_percent": "99",
        "ladder[1].credit_percent": "25",
        "refs": "L-1, L-2",
    }
    one = differences(AvailabilityWording(ladder=ladder), AvailabilityWording(ladder=ladder[:1]))
    assert one == (
        Difference("ladder[1].below_percent", "99", None),
        Difference("ladder[1].credit_percent", "25", None),
    )


def test_a_change_from_what_goes_without_saying_names_it() -> None:
    before = TokenShareWording(share_percent=Decimal(30), witness="gateway")
    after = TokenShareWording(share_percent=Decimal(30), witness="engine", tolerance_percent=Decimal(3))
    assert differences(before, after) == (
        Difference("witness", "gateway", "engine"),
        Difference("tolerance_percent", "1", "3"),
    )


def test_what_begins_has_no_before_and_what_ends_no_after() -> None:
    assert [each.before for each in differences(None, LEASE)] == [None, None]
    assert [each.after for each in differences(LEASE, None)] == [None, None]


@settings(max_examples=examples(25))
@given(prices, prices)
def test_the_same_value_in_other_digits_is_no_difference(one: Decimal, other: Decimal) -> None:
    before = LeaseWording(price_per_gpu_hour=one)
    assert differences(before, LeaseWording(price_per_gpu_hour=one.normalize())) == ()
    found = differences(before, LeaseWording(price_per_gpu_hour=other))
    assert [each.field for each in found] == ([] if one == other else ["price_per_gpu_hour"])
