"""What other prices would have made of the last 30 days: to the cent, at their boundaries, and nothing written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.bases import read_bases
from billing.basis import rate
from billing.models import Charge, ContractState, PriceNotice
from billing.price_agreements import agree_price_rule
from billing.price_versions import all_versions
from billing.pricing import publish_prices
from billing.queries.price_effects import (
    LOOKED_BACK,
    ContractEffect,
    effect_of_notice,
    effects_on_book,
    looked_at,
    total_effect,
)
from billing.queries.usage_sheet import EVERYTHING, Chosen, usage_sheet
from billing.rating.book import PriceVersion as RatedVersion
from billing.rating.lines import make_bill
from billing.rating.price_lists import PriceKey
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import PriceRule
from billing.rating.rated import PriceUnit
from billing.usage_spans import Window
from metering.usage_days import sum_days
from tests.billing.test_credits import grant, prepaid_world
from tests.billing.test_summed_days import CLASSES, make_random
from tests.billing.world import MARCH, MODEL, World, make_world
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.models import PriceBook
    from billing.rating.rated import RatedLine
    from tests.billing.world import Shared
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, MODEL, "output")
INPUT = PriceKey(PriceUnit.PER_MTOK, MODEL, "input")
NOW = MARCH + 40 * DAY
LATER = NOW + 20 * DAY
MILLION = 1_000_000
NOTHING = Decimal(0)


def make_used(cast: Cast, *, zone: str = "UTC") -> tuple[World, Shared]:
    """All tokens at list price: output 1.00, input 0.50 a million."""
    world = make_world(
        tokens={(MODEL, "output"): "1.00", (MODEL, "input"): "0.50"},
        parties=(cast.provider, cast.tenant),
        time_zone=zone,
    )
    return world, world.share(percent="100", rolled_to_at=NOW)


def announce(world: World, at: datetime = LATER, **prices: str) -> RatedVersion:
    """Publish prices by class; what is not named costs as before."""
    assert world.book is not None
    given = {OUTPUT: "1.00", INPUT: "0.50"} | {
        PriceKey(PriceUnit.PER_MTOK, MODEL, token_class): price for token_class, price in prices.items()
    }
    version = publish_prices(
        book=world.book, effective_at=at, prices={key: Decimal(price) for key, price in given.items()}, now=NOW
    )
    return stored(world.book, str(version.id))


def stored(book: PriceBook, version_id: str) -> RatedVersion:
    [found] = [one for one in all_versions([book.id])[book.id] if one.version_id == version_id]
    return found


def effect(world: World, new: RatedVersion, now: datetime = NOW) -> ContractEffect:
    assert world.book is not None
    [found] = effects_on_book(world.book, new, now=now)
    return found


world_and_shared = kept(make_used)


def test_a_rise_of_one_price_costs_what_its_tokens_cost_more(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION, "input": 8 * MILLION}, at=NOW - DAY)
    found = effect(world, announce(world, output="1.25"))
    assert (found.before, found.after, found.difference) == (Decimal("14.00"), Decimal("16.50"), Decimal("2.50"))
    assert found.by_price == {(MODEL, "output", 0): Fraction(5, 2)}
    assert [(change.key, change.before, change.after) for change in found.changes] == [
        (OUTPUT, Decimal("1.00"), Decimal("1.25"))
    ]
    assert (found.used, found.unpriced, found.takes_effect_at) == (found.changes, 0, LATER)
    assert (found.from_at, found.to_at) == (NOW - LOOKED_BACK, NOW)


def test_prepaid_credit_pays_for_a_rise_and_does_not_hide_it() -> None:
    world, shared, _ = prepaid_world(only=grant("only", 1_000))
    shared.use({"output": 20_000}, at=MARCH)
    found = effect(world, announce(world, at=MARCH + 60 * DAY, output="1250"), now=MARCH + DAY)
    assert (found.before, found.after) == (Decimal("20.00"), Decimal("25.00"))
    assert found.by_price == {(MODEL, "output", 0): Fraction(5)}


def test_a_fall_is_a_difference_below_zero(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    assert effect(world, announce(world, output="0.90")).difference == Decimal("-1.00")


def test_a_price_that_nothing_used_changes_nothing_and_is_not_said_to_be_used(
    world_and_shared: tuple[World, Shared],
) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    found = effect(world, announce(world, input="9.00"))
    assert (found.difference, dict(found.by_price), len(found.used)) == (NOTHING, {}, 0)
    assert [change.key for change in found.changes] == [INPUT]


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (NOW - LOOKED_BACK - HOUR, False),
        (NOW - LOOKED_BACK, True),
        (NOW - HOUR, True),
        (NOW, False),
    ],
)
def test_the_window_is_the_thirty_days_up_to_the_full_hour(
    at: datetime, world_and_shared: tuple[World, Shared], *, counts: bool
) -> None:
    world, shared = world_and_shared
    shared.use({"output": MILLION}, at=at)
    found = effect(world, announce(world, output="2.00"), NOW + timedelta(minutes=59, seconds=59))
    assert (found.to_at, found.before) == (NOW, Decimal("1.00") if counts else 0)


def test_a_contract_younger_than_the_window_is_looked_at_since_it_began(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": MILLION}, at=MARCH)
    found = effect(world, announce(world, output="2.00"), MARCH + 2 * HOUR)
    assert (found.from_at, found.to_at, found.difference) == (MARCH, MARCH + 2 * HOUR, Decimal("1.00"))


def test_a_contract_that_has_not_begun_has_no_window_but_knows_what_changes(
    world_and_shared: tuple[World, Shared],
) -> None:
    world, _ = world_and_shared
    new = announce(world, output="2.00")
    found = effect(world, new, MARCH + timedelta(minutes=59))
    assert (found.from_at, found.to_at, found.before, found.after) == (MARCH, MARCH, NOTHING, NOTHING)
    assert [change.key for change in found.changes] == [OUTPUT]


def test_what_would_have_no_price_any_more_is_counted(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": MILLION, "input": MILLION}, at=NOW - DAY)
    assert world.book is not None
    version = publish_prices(book=world.book, effective_at=LATER, prices={OUTPUT: Decimal(1)}, now=NOW)
    found = effect(world, stored(world.book, str(version.id)))
    assert found.unpriced > 0
    assert found.difference == Decimal("-0.50")


def test_what_had_no_price_before_hides_nothing_that_loses_it(cast: Cast) -> None:
    """Ten days of images' tokens without a price, which get one, and one day of output, which loses its own."""
    world, shared = make_used(cast)
    for day in range(1, 11):
        shared.use({"cache_write": MILLION}, at=NOW - day * DAY)
    shared.use({"output": MILLION, "input": MILLION}, at=NOW - DAY)
    assert world.book is not None
    new = {PriceKey(PriceUnit.PER_MTOK, MODEL, name): Decimal(1) for name in ("cache_write", "input")}
    version = publish_prices(book=world.book, effective_at=LATER, prices=new, now=NOW)
    found = effect(world, stored(world.book, str(version.id)))
    assert (found.before, found.after, found.unpriced) == (Decimal("1.50"), Decimal("11.00"), 1)


@pytest.mark.parametrize("seed", range(examples(4)))
def test_the_sum_of_a_window_is_that_of_its_days(cast: Cast, seed: int) -> None:
    """Of two models, at prices that change at odd instants of the window, rated here day by day."""
    random = Random(seed)
    world, _ = make_random(cast, random)
    assert world.book is not None
    now = MARCH + 11 * DAY
    keys = [PriceKey(PriceUnit.PER_MTOK, model, name) for model in ("one", "two") for name in CLASSES]
    prices = {key: Decimal(random.randint(1, 200)) / 100 for key in random.sample(keys, 5)}
    version = publish_prices(book=world.book, effective_at=now + DAY, prices=prices, now=now)
    new = stored(world.book, str(version.id))
    found = effect(world, new, now)
    [basis] = read_bases([Window(world.contract, MARCH, now)])
    sums = []
    for versions in (basis.versions, (replace(new, effective_at=MARCH),)):
        lines = rate(replace(basis, window=replace(basis.window, versions=versions))).lines
        sums.append((make_bill(lines, "USD").total, sum_of_lines(lines)))
    (before, was), (after, then) = sums
    differences = {about: then.get(about, 0) - was.get(about, 0) for about in {*was, *then}}
    assert (found.before, found.after) == (before, after)
    assert before != after
    assert found.by_price == {about: amount for about, amount in differences.items() if amount}


def sum_of_lines(lines: Iterable[RatedLine]) -> dict[tuple[str, str, int], Fraction]:
    sums: dict[tuple[str, str, int], Fraction] = defaultdict(Fraction)
    for line in lines:
        sums[line.model, line.token_class, line.context_over] += line.exact
    return dict(sums)


def test_a_contract_with_a_price_of_its_own_keeps_it(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    row = PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal("0.9"))
    agree_price_rule(contract=world.contract, rule=PriceRule(overrides=(row,)), from_at=MARCH, now=MARCH)
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    found = effect(world, announce(world, output="2.00"))
    assert (found.before, found.after, found.changes) == (Decimal("9.00"), Decimal("9.00"), ())


@pytest.mark.parametrize(
    ("state", "ends", "found"),
    [
        (ContractState.ACTIVE, None, True),
        (ContractState.OFFERED, None, True),
        (ContractState.DRAFT, None, False),
        (ContractState.ENDED, None, False),
        (ContractState.ACTIVE, LATER, False),
        (ContractState.ACTIVE, LATER + HOUR, True),
    ],
)
def test_contracts_that_run_when_the_prices_change_are_concerned(
    state: ContractState, ends: datetime | None, world_and_shared: tuple[World, Shared], *, found: bool
) -> None:
    world, _ = world_and_shared
    new = announce(world, output="2.00")
    world.contract.state, world.contract.to_at = state, ends
    world.contract.save()
    assert world.book is not None
    assert bool(effects_on_book(world.book, new, now=NOW)) == found


def test_a_version_only_thought_of_has_the_effect_of_one_that_is_published(
    world_and_shared: tuple[World, Shared],
) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    assert world.book is not None
    before = all_versions([world.book.id])[world.book.id]
    new = announce(world, output="1.25")
    [thought] = effects_on_book(world.book, new, now=NOW, versions=before)
    assert thought == effect(world, new)


def test_the_notice_of_a_contract_tells_of_that_contract_alone(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    new = announce(world, output="1.25")
    notice = PriceNotice.objects.get(contract=world.contract, version__id=UUID(new.version_id))
    assert effect_of_notice(notice, now=NOW) == effect(world, new)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_what_is_read_beside_a_sheet_says_what_is_read_alone(cast: Cast, zone: str) -> None:
    world, shared = make_used(cast, zone=zone)
    for hour in range(0, 40 * 24, 7):
        shared.use({"output": MILLION + hour, "input": hour}, at=MARCH + hour * HOUR)
    while sum_days(now=NOW):
        pass
    now = NOW + timedelta(minutes=25)
    new = announce(world, output="1.25")
    notice = PriceNotice.objects.get(contract=world.contract, version__id=UUID(new.version_id))
    window = looked_at(world.contract, now)
    assert window is not None
    alone = effect_of_notice(notice, now=now)
    assert alone.difference
    # Its window begins within a month that is shown, and ends before it.
    for from_at, to_at in ((MARCH, MARCH + 31 * DAY), (MARCH + 31 * DAY, now), (NOW + 90 * DAY, NOW + 91 * DAY)):
        plain = usage_sheet(cast.tenant, from_at, to_at, "UTC")
        for chosen in (EVERYTHING, Chosen(by_caller=True)):
            sheet = usage_sheet(cast.tenant, from_at, to_at, "UTC", chosen=chosen, beside=[window])
            [basis] = sheet.beside
            assert effect_of_notice(notice, now=now, basis=basis) == alone
            assert (sheet.overview, sheet.total) == (plain.overview, plain.total)
        moved = usage_sheet(cast.tenant, from_at, to_at, "UTC", read_zone="Asia/Tokyo", beside=[window])
        assert effect_of_notice(notice, now=now, basis=moved.beside[0]) == alone


def test_a_contract_that_has_not_begun_has_no_days_to_look_at(world_and_shared: tuple[World, Shared]) -> None:
    world, _ = world_and_shared
    assert looked_at(world.contract, world.contract.from_at + timedelta(minutes=59)) is None
    found = looked_at(world.contract, world.contract.from_at + timedelta(minutes=61))
    assert found is not None
    assert (found.from_at, found.to_at) == (world.contract.from_at, world.contract.from_at + HOUR)


def test_the_sum_over_contracts_is_exact_and_of_none_it_is_nothing(world_and_shared: tuple[World, Shared]) -> None:
    world, shared = world_and_shared
    shared.use({"output": 10 * MILLION}, at=NOW - DAY)
    found = effect(world, announce(world, output="1.25"))
    assert total_effect([found, found]) == (Decimal("20.00"), Decimal("25.00"))
    assert total_effect(iter(())) == (NOTHING, NOTHING)


def test_looking_writes_nothing_and_takes_no_more_queries_for_more_usage(
    world_and_shared: tuple[World, Shared],
) -> None:
    world, shared = world_and_shared
    new = announce(world, output="1.25")
    counts = []
    for days in (1, 9):
        for day in range(days):
            shared.use({"output": MILLION}, at=NOW - days * DAY + day * HOUR)
        with CaptureQueriesContext(connection) as queries:
            effect(world, new)
        counts.append(len(queries))
        assert not [one["sql"] for one in queries if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert counts[0] == counts[1]
    assert not Charge.objects.exists()
