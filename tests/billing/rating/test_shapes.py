"""Shapes: stretches of constant share, to the second, whatever pieces made them up."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.shapes import Shape, shapes
from clusters.occupancy import Hold, held_gpu_ms, unix_second
from tests.billing.rating.made import END, START, at, hold
from tests.examples import examples


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
    assert shapes([hold(-5, 0), hold(24, 30)], START, END) == ()


def test_a_hold_without_an_end_reaches_to_the_windows_end() -> None:
    (early,) = shapes([hold(0, None)], START, at(5))
    (late,) = shapes([hold(0, None)], START, at(9))
    assert (early.from_s, late.from_s) == (unix_second(START), unix_second(START))
    assert (early.gpu_seconds, late.gpu_seconds) == (Decimal(5 * 3_600), Decimal(9 * 3_600))


def test_a_share_of_a_card_counts_to_the_thousandth() -> None:
    (shape,) = shapes([hold(0, 1 / 3_600, share=119)], START, END)
    assert shape.gpu_seconds == Decimal("0.119")


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


@settings(max_examples=examples(25))
@given(HOLDS)
def test_shapes_hold_exactly_what_was_held_in_any_order(holds: list[Hold]) -> None:
    found = shapes(holds, START, END)
    assert sum(shape.gpu_seconds for shape in found) * 1_000 == held_gpu_ms(holds, START, END)
    assert shapes(reversed(holds), START, END) == found


@settings(max_examples=examples(25))
@given(HOLDS, st.integers(0, 86_400_000))
def test_two_windows_hold_as_much_as_the_whole(holds: list[Hold], middle_ms: int) -> None:
    middle = START + timedelta(milliseconds=middle_ms)
    parts = (*shapes(holds, START, middle), *shapes(holds, middle, END))
    assert sum(part.gpu_seconds for part in parts) == sum(part.gpu_seconds for part in shapes(holds, START, END))
