"""Rows of a lease: what each carries, where they are cut, and which price each has."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.rating.book import PriceVersion
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.lease_term import rate_lease_term
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import PriceUnit, Rated, TermKind, Unit, UnpricedReason
from billing.rating.wording import Stretch
from clusters.occupancy import Hold, unix_second
from tests.billing.rating.made import END, START, at, hold, version

FIXED = LeaseWording(price_per_gpu_hour=Decimal("2.35"))
BY_BOOK = LeaseWording()


def rate(
    holds: Sequence[Hold],
    wording: LeaseWording = FIXED,
    versions: Sequence[PriceVersion] = (),
    *,
    to_hours: float = 24,
    contract_version: int = 3,
) -> Rated:
    stretch = Stretch(contract_version, START, at(to_hours), wording)
    window = RatingWindow("USD", "UTC", START, at(to_hours), at(to_hours), tuple(versions))
    return rate_lease_term(TermInput("L-1", "", START, None, (stretch,), holds=tuple(holds)), window)


def test_a_line_carries_everything_a_charge_needs() -> None:
    (line,) = rate([hold(0, 12), hold(0, 12, slice_ref="s1")]).lines
    assert (line.term_kind, line.term_ref, line.contract_version) == (TermKind.LEASE, "L-1", 3)
    assert (line.rule, line.price_version_id) == ("lease_fixed_rate", None)
    assert (line.model, line.token_class) == ("H100", "")
    assert (line.quantity, line.unit) == (Decimal(2 * 12 * 3_600), Unit.GPU_SECONDS)
    assert (line.price.amount, line.price.unit) == (Decimal("2.35"), PriceUnit.PER_GPU_HOUR)
    assert line.amount == line.base_amount == Decimal("56.4")
    assert line.quality_mix == {"A": line.quantity}
    assert (line.from_at, line.to_at) == (START, at(12))
    assert line.line_key == f"lease|L-1|3|H100|fixed|{unix_second(START)}"


def test_the_key_of_a_line_does_not_move_with_its_end() -> None:
    (early,) = rate([hold(0, None)], to_hours=5).lines
    (late,) = rate([hold(0, None)], to_hours=9).lines
    assert early.line_key == late.line_key
    assert late.quantity > early.quantity


def test_a_lease_at_book_prices_has_a_row_per_version() -> None:
    versions = [version("v1", gpu="2.35"), version("v2", from_hours=6, gpu="3.149")]
    rated = rate([hold(0, None)], BY_BOOK, versions, to_hours=10)
    assert [(line.price_version_id, line.quantity) for line in rated.lines] == [
        ("v1", Decimal(6 * 3_600)),
        ("v2", Decimal(4 * 3_600)),
    ]
    assert {line.rule for line in rated.lines} == {"lease_book_rate"}
    assert rated.exact_total == Fraction("14.1") + Fraction("12.596")


def test_a_fixed_rate_is_not_cut_by_the_book() -> None:
    versions = [version("v1", gpu="1"), version("v2", from_hours=6, gpu="9")]
    assert len(rate([hold(0, None)], FIXED, versions).lines) == 1


def test_a_rate_of_zero_is_a_rate() -> None:
    (line,) = rate([hold(0, 1)], LeaseWording(price_per_gpu_hour=Decimal(0))).lines
    assert line.amount == 0


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([], UnpricedReason.NO_VERSION),
        ([version("v1", from_hours=48, gpu="1")], UnpricedReason.NO_VERSION),
        ([version("v1")], UnpricedReason.NO_PRICE),
    ],
)
def test_time_without_a_price_waits(versions: list[PriceVersion], reason: UnpricedReason) -> None:
    rated = rate([hold(0, 1, share=250)], BY_BOOK, versions)
    assert rated.lines == ()
    (waiting,) = rated.unpriced
    assert (waiting.quantity, waiting.unit, waiting.reason) == (Decimal(900), Unit.GPU_SECONDS, reason)
    assert (waiting.from_at, waiting.to_at, waiting.model) == (START, at(1), "H100")


def test_each_local_day_has_a_row() -> None:
    rated = rate([hold(0, 48)], to_hours=48)
    assert [(line.from_at, line.to_at) for line in rated.lines] == [(START, END), (END, at(48))]
    assert rated.exact_total == Fraction("112.8")


def test_holds_outside_the_window_make_no_row() -> None:
    assert rate([hold(-5, 0), hold(24, 30)]).lines == ()


def test_a_share_of_a_card_is_billed_to_the_thousandth() -> None:
    (line,) = rate([hold(0, 1 / 3_600, share=119)]).lines
    assert line.quantity == Decimal("0.119")
    assert line.exact == Fraction("0.119") * Fraction("2.35") / 3_600
