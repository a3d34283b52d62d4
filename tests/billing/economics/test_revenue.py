"""Where what was charged was earned."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.days import UseCost
from billing.economics.revenue import UNPLACED, Earned, Place, place_revenue
from billing.economics.uses import Tokens, Use, UseKind
from billing.money import exact_sum
from tests.examples import examples


def use(kind: UseKind, tenant: str, model: str, *, tokens: int = 0, card_ms: int = 0) -> UseCost:
    nothing = Decimal(0)
    return UseCost(
        Use(kind, tenant, model), card_ms, 0, 0, 0, Tokens(input=tokens), nothing, None, nothing, None,
        {"H100": card_ms},
    )  # fmt: skip


COSTS = {
    "east": [
        use(UseKind.HELD, "alice", "big", tokens=30, card_ms=100),
        use(UseKind.HELD, "alice", "H100", card_ms=300),
        use(UseKind.IDLE, "", "", card_ms=50),
    ],
    "west": [use(UseKind.SERVED, "alice", "big", tokens=10, card_ms=77), use(UseKind.SERVED, "bob", "big", tokens=5)],
}


def test_rent_stands_with_what_ran_on_the_held_cards() -> None:
    found = place_revenue([Earned("alice", "H100", "gpu_seconds", "USD", Decimal(8))], COSTS)
    assert found == {
        Place("east", "held", "alice", "big", "USD"): Decimal(2),
        Place("east", "held", "alice", "H100", "USD"): Decimal(6),
    }


def test_tokens_are_earned_where_they_were_made() -> None:
    found = place_revenue([Earned("alice", "big", "tokens", "USD", Decimal(4))], COSTS)
    assert found == {
        Place("east", "held", "alice", "big", "USD"): Decimal(3),
        Place("west", "served", "alice", "big", "USD"): Decimal(1),
    }


def test_what_fits_nowhere_stays_a_row_without_a_place() -> None:
    earned = [
        Earned("alice", "", "amount", "USD", Decimal(-3)),
        Earned("carol", "big", "tokens", "EUR", Decimal(5)),
        Earned("bob", "H100", "gpu_seconds", "USD", Decimal(7)),
    ]
    assert place_revenue(earned, COSTS) == {
        Place("", UNPLACED, "alice", "", "USD"): Decimal(-3),
        Place("", UNPLACED, "carol", "big", "EUR"): Decimal(5),
        Place("", UNPLACED, "bob", "H100", "USD"): Decimal(7),
    }


@settings(max_examples=examples(25))
@given(
    st.lists(
        st.builds(
            Earned,
            tenant=st.sampled_from(["alice", "bob", "carol"]),
            model=st.sampled_from(["big", "H100", ""]),
            unit=st.sampled_from(["tokens", "gpu_seconds", "amount"]),
            currency=st.just("USD"),
            amount=st.decimals(-1000, 1000, places=18),
        ),
        max_size=8,
    )
)
def test_all_that_was_earned_is_placed_once(earned: list[Earned]) -> None:
    assert exact_sum(place_revenue(earned, COSTS).values()) == exact_sum(one.amount for one in earned)
