from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.basis import PeriodBasis, rate
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.lease_wording import LeaseWording
from billing.rating.lines import make_bill
from billing.rating.rated import Carry, UnpricedReason
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch
from clusters.occupancy import Hold

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Hypothesis wants bounds without a zone.
FIRST, LAST = MARCH.replace(year=2020, tzinfo=None), MARCH.replace(year=2030, tzinfo=None)
MODEL, CARD = "sample-model", "NVIDIA H100"


def make_basis(*usage: Used, holds: tuple[Hold, ...] = (), zone: str = "UTC", to_at: datetime = APRIL) -> PeriodBasis:
    versions = (
        PriceVersion("v1", MARCH, {(MODEL, TokenClass.OUTPUT): Decimal(1)}, {CARD: Decimal(2)}),
        PriceVersion("v2", NOON, {(MODEL, TokenClass.OUTPUT): Decimal(3)}, {CARD: Decimal(4)}),
    )
    lease, share = LeaseWording(), TokenShareWording(share_percent=Decimal(50), witness="gateway")
    return PeriodBasis(
        contract="C-0001",
        contract_version=1,
        window=RatingWindow("USD", zone, MARCH, to_at, APRIL, versions),
        terms=(
            TermInput("L-0001", "cards", MARCH, None, (Stretch(1, MARCH, to_at, lease),), holds=holds),
            TermInput("S-0001", "tokens", MARCH, None, (Stretch(1, MARCH - HOUR, to_at, share),), usage=usage),
        ),
    )


def used(at: datetime, tokens: int, *, model: str = MODEL, quality: str = "A", deployment: str = "d") -> Used:
    return Used(deployment, model, TokenClass.OUTPUT, quality, at, at + HOUR, tokens)


def test_usage_goes_at_the_price_in_force_when_it_was_metered() -> None:
    rated = rate(make_basis(used(NOON - HOUR, 1_000_000), used(NOON, 1_000_000)))
    assert [(line.price_version_id, line.amount) for line in rated.lines] == [
        ("v1", Decimal("0.5")),
        ("v2", Decimal("1.5")),
    ]


def test_usage_before_the_first_version_has_no_price() -> None:
    basis = make_basis(used(MARCH, 5))
    later = replace(basis, window=replace(basis.window, versions=basis.versions[1:]))
    [waiting] = rate(later).unpriced
    assert waiting.reason is UnpricedReason.NO_VERSION
    assert waiting.quantity == 5


def test_a_day_is_one_line_whatever_its_hours_deployments_and_qualities() -> None:
    rated = rate(make_basis(used(NOON, 1), used(NOON + HOUR, 2, deployment="e"), used(NOON + 2 * HOUR, 4, quality="E")))
    [line] = rated.lines
    assert line.quantity == 7
    assert line.quality_mix == {"A": Decimal(3), "E": Decimal(4)}


def test_a_lease_is_cut_at_days_of_the_zone_and_at_prices() -> None:
    held = Hold("s", 1000, NOON - HOUR, NOON + 12 * HOUR, "c", CARD)
    lines = rate(make_basis(holds=(held,), zone="Asia/Tokyo")).lines
    assert [(line.from_at, line.quantity, line.amount) for line in lines] == [
        (NOON - HOUR, Decimal(3600), Decimal(2)),
        (NOON, Decimal(3 * 3600), Decimal(12)),
        (NOON + 3 * HOUR, Decimal(9 * 3600), Decimal(36)),
    ]


def test_a_lease_counts_up_to_the_end_of_the_basis_only() -> None:
    held = Hold("s", 1000, NOON, None, "c", CARD)
    assert rate(make_basis(holds=(held,), to_at=NOON + HOUR)).exact_total == 4


def test_credit_brought_forward_is_taken_off_and_what_is_too_much_goes_on() -> None:
    """Two GPU-hours at 2 are 4.00: of 10.00 brought forward 6.00 are left for the next period."""
    held = Hold("s", 1000, MARCH, MARCH + 2 * HOUR, "c", CARD)
    basis = replace(make_basis(holds=(held,)), facts=(Carried(name="credit_amount", value=Decimal(10)),))
    rated = rate(basis)
    assert [(line.rule, line.quantity, line.amount) for line in rated.lines] == [
        ("lease_book_rate", Decimal(7200), Decimal(4)),
        ("credit_brought_forward", Decimal(-1), Decimal(-10)),
        ("credit_carried_forward", Decimal(1), Decimal(6)),
    ]
    assert make_bill(rated.lines, "USD").total == 0
    assert rated.carries == (Carry("C-0001", "credit_amount", Decimal("6.00")),)
    small = replace(basis, facts=(Carried(name="credit_amount", value=Decimal(1)),))
    assert make_bill(rate(small).lines, "USD").total == 3
    assert rate(small).carries == ()
