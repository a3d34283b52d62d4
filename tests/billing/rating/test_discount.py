"""Discounts never take more than there is, and share out exactly."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating.discount import DiscountWording, adjust_discount
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import RatedLine
from billing.rating.wording import Stretch, read_wording
from tests.billing.rating.made import token_line
from tests.billing.rating.priced import FROM, MIDDLE, TO
from tests.examples import examples

WINDOW = RatingWindow("USD", "UTC", FROM, TO, TO)
LINES = st.lists(st.integers(0, 10**9), min_size=1, max_size=5)


def made(tokens: list[int]) -> tuple[RatedLine, ...]:
    return tuple(token_line(str(number), count, price="0.7") for number, count in enumerate(tokens))


def discount(ref: str = "D-1", **said: object) -> TermInput:
    wording = read_wording(DiscountWording, {"kind": "discount", **said})
    return TermInput(ref, "", FROM, None, (Stretch(1, FROM, TO, wording),))


@settings(max_examples=examples(25))
@given(LINES, st.integers(1, 100), st.decimals(0, 2_000, places=2))
def test_together_they_take_no_more_than_there_is(tokens: list[int], percent: int, amount: Decimal) -> None:
    lines = made(tokens)
    for term in (discount("D-1", percent=str(percent)), discount("D-2", amount_per_period=str(amount))):
        taken = adjust_discount(term, WINDOW, lines).lines
        assert all(line.amount < 0 for line in taken)
        lines += taken
    assert sum((line.exact for line in lines), Fraction(0)) >= 0


@settings(max_examples=examples(25))
@given(LINES)
def test_all_of_it_can_be_taken_off(tokens: list[int]) -> None:
    lines = made(tokens)
    lines += adjust_discount(discount(percent="100"), WINDOW, lines).lines
    assert sum((line.exact for line in lines), Fraction(0)) == 0


def test_an_amount_is_prorated_by_the_time_it_holds_and_shared_out_to_the_last_digit() -> None:
    wording = read_wording(DiscountWording, {"kind": "discount", "amount_per_period": "2.00"})
    term = TermInput("D-1", "", FROM, None, (Stretch(1, FROM, MIDDLE, wording),))
    lines = tuple(
        replace(line, term_ref=ref, line_key=ref)
        for ref, line in zip(("A", "B", "C"), made([10**7, 10**7, 10**7]), strict=True)
    )
    taken = adjust_discount(term, WINDOW, lines).lines
    assert [line.about_ref for line in taken] == ["A", "B", "C"]
    assert sum(line.amount for line in taken) == -1


def test_only_what_is_in_scope_and_begins_in_its_time_is_discounted() -> None:
    wording = read_wording(DiscountWording, {"kind": "discount", "percent": "50", "quantities": ["input"]})
    term = TermInput("D-1", "", FROM, None, (Stretch(1, FROM, MIDDLE, wording),))
    early = token_line("a", 10**6, token_class="input", from_at=FROM)
    late = replace(token_line("b", 10**6, token_class="input"), from_at=MIDDLE, to_at=TO)
    other = token_line("c", 10**6, from_at=FROM)
    (line,) = adjust_discount(term, WINDOW, [early, late, other]).lines
    assert line.amount == Decimal("-0.5")


def test_an_amount_off_terms_that_come_to_nothing_takes_nothing() -> None:
    lines = tuple(replace(line, term_ref=ref, line_key=ref) for ref, line in zip(("A", "B"), made([0, 0]), strict=True))
    assert adjust_discount(discount(amount_per_period="2.00"), WINDOW, lines).lines == ()


def test_what_was_taken_off_one_model_is_not_taken_off_another() -> None:
    """All of `sample` is free: the tenth off `other` is a tenth of it, and nothing is left of `sample` to take off."""
    lines: tuple[RatedLine, ...] = (token_line("a", 10**6), token_line("b", 10**6, model="other"))
    lines += adjust_discount(discount("D-1", percent="100", models=["sample"]), WINDOW, lines).lines
    assert adjust_discount(discount("D-2", percent="100", models=["sample"]), WINDOW, lines).lines == ()
    (line,) = adjust_discount(discount("D-3", percent="10", models=["other"]), WINDOW, lines).lines
    assert (line.amount, line.model, line.token_class, line.about_ref) == (Decimal("-0.1"), "other", "", "S-1")


def test_a_discount_says_what_it_was_taken_off_as_finely_as_it_names_it() -> None:
    lines = (
        token_line("a", 10**6, token_class="input"),
        token_line("b", 2 * 10**6),
        token_line("c", 4 * 10**6, model="other"),
    )
    by_quantity = adjust_discount(discount(percent="50", quantities=["input", "output"]), WINDOW, lines).lines
    assert [(line.model, line.token_class, line.amount) for line in by_quantity] == [
        ("", "input", Decimal("-0.5")),
        ("", "output", Decimal(-3)),
    ]
    both = adjust_discount(discount(percent="50", models=["sample"], quantities=["output"]), WINDOW, lines).lines
    assert [(line.model, line.token_class, line.amount) for line in both] == [("sample", "output", Decimal(-1))]
    assert len({line.line_key for line in (*by_quantity, *both)}) == 3


def test_what_was_taken_off_in_one_part_of_the_period_is_not_taken_off_the_rest() -> None:
    early, late = token_line("a", 10**6, from_at=FROM), replace(token_line("b", 10**6), from_at=MIDDLE, to_at=TO)
    wording = read_wording(DiscountWording, {"kind": "discount", "percent": "100"})
    first = TermInput("D-1", "", FROM, None, (Stretch(1, FROM, MIDDLE, wording),))
    lines = (early, late, *adjust_discount(first, WINDOW, [early, late]).lines)
    (second,) = adjust_discount(discount("D-2", percent="100"), WINDOW, lines).lines
    assert second.amount == -1
