"""Rating a basis at other prices and under other wordings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import PeriodBasis, rate
from billing.economics.repricing import (
    STRESS_PERCENTS,
    at_percent,
    at_version,
    at_wordings,
    reprice,
    scaled,
    unchanged,
)
from billing.money import exact_sum
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.credit import CreditWording, Grant
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch
from clusters.occupancy import Hold

FROM, TO = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
VERSION = PriceVersion(
    "v1",
    FROM,
    token_prices={("big", TokenClass.OUTPUT): Decimal("0.60"), ("small", TokenClass.OUTPUT): Decimal("0.20")},
    gpu_prices={"H100": Decimal("2.35")},
)
SHARE = TokenShareWording(share_percent=Decimal(50), witness="gateway")


def basis(big: int = 1_000_000, small: int = 1_000_000) -> PeriodBasis:
    usage = tuple(
        Used("d", model, "output", "A", FROM, TO, count) for model, count in (("big", big), ("small", small)) if count
    )
    share = TermInput("S-1", "tokens", FROM, None, (Stretch(1, FROM, TO, SHARE),), usage=usage)
    held = (Hold("card-0", 1000, FROM, TO, "card-0", "H100"),)
    lease = TermInput("L-1", "lease", FROM, None, (Stretch(1, FROM, TO, LeaseWording()),), holds=held)
    return PeriodBasis("C-1", 1, RatingWindow("USD", "UTC", FROM, TO, TO, (VERSION,)), (share, lease))


def test_a_percentage_moves_the_books_prices_and_stress_moves_them_again() -> None:
    found = {one.model: one for one in reprice(basis(), at_percent(34))}
    assert (found["big"].old, found["big"].new) == (Decimal("0.30"), Decimal("0.402"))
    assert found["big"].stress == (Decimal("0.603"), Decimal("0.804"), Decimal("1.206"))
    assert (found["H100"].old, found["H100"].new) == (744 * Decimal("2.35"), 744 * Decimal("3.149"))


def test_only_the_models_named_move() -> None:
    found = {one.model: one for one in reprice(basis(), at_percent(100, ["small"]))}
    assert found["big"].old == found["big"].new
    assert found["small"].new == 2 * found["small"].old
    assert scaled(VERSION, 10, ["H100"]).token_prices == VERSION.token_prices


def test_a_version_counts_from_the_windows_start_and_what_it_lacks_is_not_charged() -> None:
    later = PriceVersion("v2", TO, token_prices={("big", TokenClass.OUTPUT): Decimal(6)})
    found = {one.model: one for one in reprice(basis(), at_version(later))}
    assert (found["big"].new, found["small"].new, found["H100"].new) == (Decimal(3), Decimal(0), Decimal(0))


def test_another_wording_is_rated_as_it_would_be() -> None:
    agreed = LeaseWording(price_per_gpu_hour=Decimal(2))
    found = {one.model: one for one in reprice(basis(), at_wordings({"L-1": agreed}))}
    assert found["H100"].new == 1488
    assert found["H100"].stress == (Decimal(1488),) * len(STRESS_PERCENTS)  # an agreed price does not move
    assert found["big"].new == found["big"].old


def test_a_deposit_is_no_earning_and_credit_pays_for_what_was_earned() -> None:
    paid = CreditWording(grants=(Grant(name="paid", amount=Decimal(50), from_at=FROM, bought=True),))
    credit = TermInput("CR-1", "credit", FROM, None, (Stretch(1, FROM, TO, paid),))
    plain = basis()
    share, lease = plain.terms
    held = replace(lease, stretches=(Stretch(1, FROM, TO, LeaseWording(deposit_amount=Decimal(500))),))
    whole = replace(plain, terms=(share, held, credit))
    billed = exact_sum(line.amount for line in rate(whole).lines)
    assert billed == exact_sum(line.amount for line in rate(plain).lines) + 500 - 50
    assert reprice(whole, unchanged) == reprice(plain, unchanged)


@settings(max_examples=20)
@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_unchanged_is_what_is_billed(big: int, small: int) -> None:
    billed = exact_sum(line.amount for line in rate(basis(big, small)).lines)
    for change in (unchanged, at_percent(0), at_version(VERSION), at_wordings({"S-1": SHARE})):
        found = reprice(basis(big, small), change)
        assert exact_sum(one.old for one in found) == billed
        assert [one.new for one in found] == [one.old for one in found]


@settings(max_examples=20)
@given(st.integers(0, 10**15), st.decimals(-100, 1000, places=2), st.decimals(-100, 1000, places=2))
def test_a_higher_price_never_gives_less(tokens: int, one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    cheap, dear = reprice(basis(tokens), at_percent(low)), reprice(basis(tokens), at_percent(high))
    assert all(left.new <= right.new for left, right in zip(cheap, dear, strict=True))
