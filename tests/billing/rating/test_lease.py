"""Leases: rows by shape and price, time to the second, amounts exact."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Period, PeriodKind, PeriodSpec, iter_periods
from billing.rating.book import PriceVersion
from billing.rating.lease import FlatTerms, LeaseTerms, Shape, rate_flat, rate_lease, shapes
from billing.rating.rated import PriceUnit, TermKind, Unit, UnpricedReason
from clusters.occupancy import Hold, held_gpu_ms, unix_second
from tests.billing.rating.made import END, START, at, hold, version

FIXED = LeaseTerms("L-1", 3, Decimal("2.35"))


def test_a_line_carries_everything_a_charge_needs() -> None:
    (line,) = rate_lease(FIXED, [hold(0, 12), hold(0, 12, slice_ref="s1")], START, END).lines
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
    (early,) = rate_lease(FIXED, [hold(0, None)], START, at(5)).lines
    (late,) = rate_lease(FIXED, [hold(0, None)], START, at(9)).lines
    assert early.line_key == late.line_key
    assert late.quantity > early.quantity


def test_a_lease_at_book_prices_has_a_row_per_version() -> None:
    versions = [version("v1", gpu="2.35"), version("v2", from_hours=6, gpu="3.149")]
    rated = rate_lease(LeaseTerms("L-1", 1, price_versions=versions), [hold(0, None)], START, at(10))
    assert [(line.price_version_id, line.quantity) for line in rated.lines] == [
        ("v1", Decimal(6 * 3_600)),
        ("v2", Decimal(4 * 3_600)),
    ]
    assert {line.rule for line in rated.lines} == {"lease_book_rate"}
    assert rated.exact_total == Fraction("14.1") + Fraction("12.596")


def test_a_fixed_rate_is_not_cut_by_the_book() -> None:
    terms = LeaseTerms("L-1", 1, Decimal(2), [version("v1", gpu="1"), version("v2", from_hours=6, gpu="9")])
    assert len(rate_lease(terms, [hold(0, None)], START, END).lines) == 1


def test_a_rate_of_zero_is_a_rate() -> None:
    (line,) = rate_lease(LeaseTerms("L-1", 1, Decimal(0)), [hold(0, 1)], START, END).lines
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
    rated = rate_lease(LeaseTerms("L-1", 2, price_versions=versions), [hold(0, 1, share=250)], START, END)
    assert rated.lines == ()
    (waiting,) = rated.unpriced
    assert (waiting.quantity, waiting.unit, waiting.reason) == (Decimal(900), Unit.GPU_SECONDS, reason)
    assert (waiting.from_at, waiting.to_at, waiting.model) == (START, at(1), "H100")


def test_cuts_make_rows_by_day() -> None:
    rated = rate_lease(FIXED, [hold(0, 48)], START, at(48), cut_at=[at(24), at(48), at(99)])
    assert [line.from_at for line in rated.lines] == [START, at(24)]
    assert rated.exact_total == Fraction("112.8")


def test_a_change_of_slices_at_one_instant_is_no_change_of_shape() -> None:
    joined = shapes([hold(0, 3), hold(3, 6, slice_ref="s1")], START, END)
    assert joined == (Shape("H100", 1_000, unix_second(START), unix_second(at(6))),)


def test_shapes_are_apart_by_model_and_by_time() -> None:
    found = shapes(
        [hold(0, 2), hold(1, 2, slice_ref="s1", share=500), hold(4, 5), hold(0, 1, slice_ref="a", model="A100")],
        START,
        END,
    )
    assert [(shape.accelerator_model, shape.share_permille) for shape in found] == [
        ("A100", 1_000),
        ("H100", 1_000),
        ("H100", 1_500),
        ("H100", 1_000),
    ]


def test_holds_outside_the_window_make_nothing() -> None:
    assert rate_lease(FIXED, [hold(-5, 0), hold(24, 30)], START, END).lines == ()


def test_a_share_of_a_card_is_billed_to_the_thousandth() -> None:
    (line,) = rate_lease(FIXED, [hold(0, 1 / 3_600, share=119)], START, END).lines
    assert line.quantity == Decimal("0.119")
    assert line.exact == Fraction("0.119") * Fraction("2.35") / 3_600


def days() -> list[Period]:
    spec = PeriodSpec(PeriodKind.DAY, "America/New_York", START)
    return list(iter_periods(spec, before=at(72)))


def test_a_flat_amount_counts_whole_periods_and_parts_by_the_second() -> None:
    terms = FlatTerms("L-9", 1, Decimal("54.00"))
    rated = rate_flat(terms, days(), START, at(36))
    assert [line.exact for line in rated.lines] == [54, 27]
    first = rated.lines[0]
    assert (first.unit, first.price.unit, first.price.units) == (Unit.SECONDS, PriceUnit.PER_PERIOD, 86_400)
    assert (first.rule, first.quantity) == ("lease_flat_per_period", Decimal(86_400))
    assert (rated.lines[1].from_at, rated.lines[1].to_at) == (at(24), at(36))
    assert len({line.line_key for line in rated.lines}) == 2


def test_a_flat_amount_outside_its_lease_is_nothing() -> None:
    assert rate_flat(FlatTerms("L-9", 1, Decimal(54)), days(), at(200), at(300)).lines == ()


HOLDS = st.lists(
    st.builds(
        lambda start, length, share, model: Hold(
            "any",
            share,
            START + timedelta(milliseconds=start),
            START + timedelta(milliseconds=start + length),
            accelerator_model=model,
        ),
        st.integers(-100_000, 100_000_000),
        st.integers(1, 50_000_000),
        st.integers(1, 1_000),
        st.sampled_from(["H100", "A100"]),
    ),
    max_size=8,
)
EDGES = st.lists(st.integers(0, 86_400), max_size=5)


@given(HOLDS, EDGES)
def test_rows_hold_exactly_what_was_held_and_cuts_change_no_amount(holds: list[Hold], edges: list[int]) -> None:
    whole = rate_lease(FIXED, holds, START, END)
    cut = rate_lease(FIXED, list(reversed(holds)), START, END, cut_at=[START + timedelta(seconds=e) for e in edges])
    assert sum(line.quantity for line in whole.lines) * 1_000 == held_gpu_ms(holds, START, END)
    assert cut.exact_total == whole.exact_total
    keys = [line.line_key for line in cut.lines]
    assert len(set(keys)) == len(keys)


@given(HOLDS, st.integers(0, 86_400_000))
def test_two_windows_rate_as_much_as_the_whole(holds: list[Hold], middle_ms: int) -> None:
    middle = START + timedelta(milliseconds=middle_ms)
    parts = rate_lease(FIXED, holds, START, middle) + rate_lease(FIXED, holds, middle, END)
    assert parts.exact_total == rate_lease(FIXED, holds, START, END).exact_total
