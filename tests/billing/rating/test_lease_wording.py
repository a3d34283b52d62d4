"""What a contract can say of a lease, and what it cannot."""

from decimal import Decimal
from typing import Any

import pytest

from billing.rating.lease_wording import EarlyEnd, LeaseWording
from billing.rating.wording import WrongWording, read_wording, write_wording

FULL = LeaseWording(
    accelerator_model="H100",
    price_per_gpu_hour=Decimal("2.35"),
    deposit_amount=Decimal(5000),
    early_end=EarlyEnd.NOTICE,
    early_end_notice_days=30,
    holdover_percent=Decimal(150),
    provider_fault=("card_lost",),
)


def test_a_wording_is_read_as_it_was_written() -> None:
    document = write_wording(FULL)
    assert document["price_per_gpu_hour"] == "2.35"
    assert read_wording(LeaseWording, document) == FULL


def test_little_needs_to_be_said() -> None:
    wording = read_wording(LeaseWording, {"kind": "lease"})
    assert (wording.price_per_gpu_hour, wording.is_flat, wording.early_end) == (None, False, EarlyEnd.NONE)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"price_per_gpu_hour": "-1"}, "price_per_gpu_hour"),
        ({"price_per_gpu_hour": "1", "flat_amount_per_day": "1"}, "flat_amount_per_day"),
        ({"flat_amount_per_day": "1", "holdover_price_per_gpu_hour": "1"}, "holdover_price_per_gpu_hour"),
        ({"at_end": "renew"}, "renew_days"),
        ({"renew_days": 7}, "renew_days"),
        ({"early_end": "notice"}, "early_end_notice_days"),
        ({"early_end_notice_days": 7}, "early_end_notice_days"),
        ({"early_end": "minimum_term"}, "minimum_term_days"),
        (
            {"early_end": "share_of_remainder", "early_end_percent_of_remainder": "101"},
            "early_end_percent_of_remainder",
        ),
        ({"holdover_percent": "1001"}, "holdover_percent"),
        ({"minimum_term_days": -1}, "minimum_term_days"),
        ({"price_per_hour": "1"}, "price_per_hour"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        read_wording(LeaseWording, {"kind": "lease", **said})
    assert refused.value.field == field
