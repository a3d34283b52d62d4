"""The same usage four ways, each as billing would rate it."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.comparison import Profile, Terms, amount_of, compare, hybrid_wording, sampled
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, Used
from clusters.occupancy import Hold

FROM, TO = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
BOOK = PriceVersion(
    "v1",
    FROM,
    token_prices={("big", TokenClass.INPUT): Decimal("0.60"), ("big", TokenClass.OUTPUT): Decimal("0.80")},
    gpu_prices={"H100": Decimal(2)},
)
TERMS = Terms(share_percent=Decimal(50), rent_amount_per_month=Decimal(400))


def profile(input_tokens: int = 10**9, *, model: str = "big", gpus: int = 1, book: PriceVersion = BOOK) -> Profile:
    usage = (Used("d", model, "input", "A", FROM, TO, input_tokens),)
    holds = tuple(Hold(f"card-{number}", 1000, FROM, TO, f"card-{number}", "H100") for number in range(gpus))
    return Profile(RatingWindow("USD", "UTC", FROM, TO, TO, (book,)), usage, holds, Fraction(1, 2))


def test_four_ways_to_pay_for_a_billion_tokens_on_one_card() -> None:
    found = compare(profile(), TERMS)
    assert {offer.name: offer.at(Fraction(1)) for offer in found.offers} == {
        "lease": 1488,
        "token_price": 600,
        "share": 300,
        "hybrid": 400,
    }
    assert found.cheapest == "share"
    assert found.missing == ()


def test_break_even_is_told_in_tokens_and_utilisation() -> None:
    found = compare(profile(), TERMS)
    lease = next(
        one for one in found.break_evens if one.crossing.below == "token_price" and one.crossing.above == "lease"
    )
    assert lease.tokens == 2_480_000_000  # 1,488.00 at 0.60 per 1M
    assert lease.utilisation == Fraction(124, 100)  # more than the card can do: it never breaks even


def test_what_has_no_price_is_missing_and_not_free() -> None:
    assert compare(profile(model="unheard-of"), TERMS).missing == ("token_price", "share", "hybrid")
    assert compare(profile(gpus=0), TERMS).missing == ("lease",)
    without = PriceVersion("v1", FROM, token_prices=BOOK.token_prices)
    assert compare(profile(book=without), TERMS).missing == ("lease",)
    agreed = Terms(TERMS.share_percent, TERMS.rent_amount_per_month, price_per_gpu_hour=Decimal(1))
    assert compare(profile(book=without), agreed).missing == ()


def test_a_drawing_has_even_steps() -> None:
    found = sampled(compare(profile(), TERMS).offers, 4, Fraction(2))
    assert [volume for volume, _ in found] == [0, Fraction(1, 2), 1, Fraction(3, 2), 2]
    assert found[0][1] == {"lease": 1488, "token_price": 0, "share": 0, "hybrid": 400}


@settings(max_examples=25)
@given(
    tokens=st.integers(0, 10**12),
    share=st.decimals("0.01", 100, places=2),
    rent=st.decimals(0, 10**5, places=2),
    volume=st.integers(0, 5),
)
def test_the_drawn_lines_are_what_billing_rates_at_any_volume(
    tokens: int, share: Decimal, rent: Decimal, volume: int
) -> None:
    terms = Terms(share, rent)
    offers = {offer.name: offer for offer in compare(profile(tokens), terms).offers}
    rated = amount_of(profile(tokens * volume), hybrid_wording(terms))
    assert rated is not None
    assert abs(offers["hybrid"].at(Fraction(volume)) - rated) <= Fraction(4, 10**18)
    assert profile(tokens).tokens == tokens
