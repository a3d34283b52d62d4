from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.charging import charge_period, due_for_charging, ensure_periods, needed_from, unresolved, without_period
from billing.contracting import Hold, add_lease_allocations, open_lease
from billing.models import BillingPeriod, Charge, Contract, ContractState, PeriodKind, PeriodState, UnpricedUsage
from billing.pricing import publish_price_version
from metering.models import Quality, UsageCut, Witness
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world
from tests.examples import examples
from tests.factories import make_accelerator, make_slice
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "cached_input"): "0.07", (MODEL, "output"): "1.10"}


def charge(world: World, up_to: datetime = APRIL) -> int:
    ensure_periods(contract=world.contract, now=MARCH)
    return charge_period(period_id=world.period().id, up_to=up_to, now=up_to).charges


def owed() -> Decimal:
    return Charge.objects.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def by_class() -> dict[str, tuple[Decimal, Decimal]]:
    rows = Charge.objects.values_list("token_class").annotate(Sum("quantity"), Sum("base_amount"))
    return {token_class: (quantity, base) for token_class, quantity, base in rows}


world = kept(lambda: make_world(tokens=PRICES))
world_made = kept(make_world)


def test_periods_follow_each_other_and_are_stored_once() -> None:
    world = make_world(from_at=datetime(2026, 1, 15, 6, tzinfo=UTC))
    assert len(ensure_periods(contract=world.contract, now=NOON)) == 3
    assert ensure_periods(contract=world.contract, now=NOON) == []
    assert len(ensure_periods(contract=world.contract, now=APRIL)) == 1
    spans = list(BillingPeriod.objects.order_by("from_at").values_list("from_at", "to_at"))
    assert spans[0] == (datetime(2026, 1, 15, 6, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


def test_a_contract_that_ends_has_no_period_after_its_end() -> None:
    world = make_world(to_at=NOON)
    ensure_periods(contract=world.contract, now=APRIL)
    assert world.period().to_at == NOON
    assert without_period(now=APRIL) == []


def test_contracts_without_a_current_period_are_found() -> None:
    world, later = make_world(), make_world(from_at=APRIL)
    ended = make_world(from_at=MARCH, to_at=NOON)
    assert without_period(now=NOON) == [world.contract, ended.contract]
    ensure_periods(contract=world.contract, now=NOON)
    assert without_period(now=NOON) == [ended.contract]
    assert without_period(now=APRIL) == [world.contract, later.contract, ended.contract]
    type(later.contract).objects.update(state=ContractState.DRAFT)
    assert without_period(now=APRIL) == []


def test_what_no_closed_period_holds_is_still_needed() -> None:
    assert needed_from(now=NOON) == NOON
    world = make_world()
    assert needed_from(now=NOON) == world.contract.from_at
    ensure_periods(contract=world.contract, now=NOON)
    assert needed_from(now=APRIL + HOUR) == world.period().from_at
    BillingPeriod.objects.update(state=PeriodState.CLOSED)
    assert needed_from(now=NOON) == NOON
    assert needed_from(now=APRIL + HOUR) == world.period().to_at


def test_anniversary_months_and_fixed_lengths_are_stored_as_the_calculation_gives_them() -> None:
    start = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    anniversary = make_world(from_at=start, period_kind=PeriodKind.ANNIVERSARY_MONTH)
    ensure_periods(contract=anniversary.contract, now=start)
    assert anniversary.period(start).to_at == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
    fixed = make_world(from_at=start)
    fixed.contract.period_kind, fixed.contract.period_length_s = PeriodKind.FIXED_LENGTH, 90
    fixed.contract.save()
    assert len(ensure_periods(contract=fixed.contract, now=start + timedelta(seconds=180))) == 3


def test_days_that_begin_inside_an_hour_cut_the_usage() -> None:
    world = make_world(time_zone="Asia/Kolkata", tokens=PRICES, from_at=datetime(2026, 2, 28, 18, 30, tzinfo=UTC))
    shared = world.share()
    assert UsageCut.objects.count() == 1
    ensure_periods(contract=world.contract, now=NOON)
    cuts = UsageCut.objects.filter(deployment=shared.deployment).order_by("at").values_list("at", flat=True)
    assert cuts.count() == 32
    assert {(at.hour, at.minute) for at in cuts} == {(18, 30)}
    assert cuts.last() == datetime(2026, 3, 31, 18, 30, tzinfo=UTC)


def test_cached_input_is_a_part_of_input_and_each_token_is_charged_once(world: World) -> None:
    world.share(percent="100").use({"input": 17_903, "cached_input": 17_817, "output": 12}, at=NOON)
    assert charge(world) == 3
    assert by_class() == {
        "input": (Decimal(86), Decimal("0.00002408")),
        "cached_input": (Decimal(17_817), Decimal("0.00124719")),
        "output": (Decimal(12), Decimal("0.0000132")),
    }


def test_long_requests_are_charged_at_their_tier_and_late_ones_on_the_same_line() -> None:
    world = make_world(tokens=PRICES, tiers={(MODEL, "input", 200_000): "0.56"})
    shared = world.share(percent="100")
    shared.use({"input": 1_000_000}, at=NOON)
    shared.use({"input": 585_659}, at=NOON, context_over=512_000)
    assert charge(world) == 2
    assert charge(world) == 0
    shared.use({"input": 250_000}, at=NOON, context_over=200_000)
    shared.use({"input": -85_659}, at=NOON, context_over=512_000, version=1_000_000)
    assert charge(world) == 1
    rows = Charge.objects.order_by("line_key", "seq").values_list("context_over", "seq", "quantity", "amount")
    assert list(rows) == [
        (0, 1, Decimal(1_000_000), Decimal("0.28")),
        (200_000, 1, Decimal(585_659), Decimal("0.32796904")),
        (200_000, 2, Decimal(164_341), Decimal("0.09203096")),
    ]
    assert {
        key.rpartition("|")[2] for key in Charge.objects.exclude(context_over=0).values_list("line_key", flat=True)
    } == {"over_200k"}


def test_a_second_run_books_nothing(world: World) -> None:
    world.lease(2, price="2.35")
    world.share().use({"input": 1_000_000}, at=NOON)
    assert charge(world, NOON + HOUR) > 0
    before = owed()
    assert charge(world, NOON + HOUR) == 0
    assert charge(world, NOON) == 0
    assert owed() == before
    assert world.period().rated_at == NOON + HOUR


def test_late_usage_and_a_correction_are_booked_as_differences(world: World) -> None:
    shared = world.share(percent="100")
    shared.use({"output": 1_000_000}, at=NOON)
    charge(world)
    shared.use({"output": 500_000}, at=NOON, version=2)
    assert charge(world) == 1
    shared.use({"output": -250_000}, at=NOON, version=3)
    assert charge(world) == 1
    charges = Charge.objects.order_by("seq")
    assert [(row.seq, row.quantity, row.amount) for row in charges] == [
        (1, Decimal(1_000_000), Decimal("1.10")),
        (2, Decimal(500_000), Decimal("0.55")),
        (3, Decimal(-250_000), Decimal("-0.275")),
    ]
    assert charges[2].quality == {"A": "1250000"}


def test_usage_taken_back_in_full_withdraws_the_charge(world: World) -> None:
    shared = world.share()
    shared.use({"output": 1_000_000}, at=NOON)
    charge(world)
    shared.use({"output": -1_000_000}, at=NOON, version=2)
    assert charge(world) == 1
    withdrawn = Charge.objects.get(seq=2)
    assert (withdrawn.quantity, withdrawn.model) == (Decimal(-1_000_000), MODEL)
    assert withdrawn.quality == {}
    assert owed() == 0
    shared.use({"output": 5}, at=NOON, version=3)
    charge(world)
    assert Charge.objects.get(seq=3).quantity == 5


def test_only_sure_qualities_of_the_witness_that_bills_are_charged(world: World) -> None:
    shared = world.share(percent="100", witness=Witness.ENGINE)
    for quality in Quality:
        shared.use({"output": 1_000_000}, at=NOON, quality=quality)
    shared.use({"output": 7_000_000}, at=NOON, witness=Witness.GATEWAY)
    charge(world)
    assert owed() == Decimal("3.30")
    assert Charge.objects.get().quality == {"A": "1000000", "E": "1000000", "S": "1000000"}


def test_a_price_change_inside_an_hour_splits_usage_at_the_instant() -> None:
    world = make_world(tokens={(MODEL, "output"): "1.00"})
    shared = world.share(percent="100")
    at = NOON + timedelta(minutes=20)
    assert world.book is not None
    publish_price_version(
        book=world.book,
        effective_at=at,
        token_prices={(MODEL, "output"): Decimal("1.34")},
        gpu_prices={},
        now=MARCH,
    )
    shared.use({"output": 333_333}, at=NOON, to_at=at)
    shared.use({"output": 666_667}, at=at)
    charge(world)
    rows = Charge.objects.order_by("from_at").values_list("price_version__number", "quantity", "amount")
    assert list(rows) == [(1, Decimal(333_333), Decimal("0.333333")), (2, Decimal(666_667), Decimal("0.89333378"))]
    assert owed() == Decimal("1.22666678")


def test_a_lease_at_the_book_s_price_is_split_where_the_price_changes() -> None:
    world = make_world(gpus={H100: "2"})
    world.lease(4, from_at=NOON, to_at=NOON + 2 * HOUR, price=None)
    assert world.book is not None
    publish_price_version(
        book=world.book,
        effective_at=NOON + HOUR / 2,
        token_prices={},
        gpu_prices={H100: Decimal(4)},
        now=MARCH,
    )
    charge(world)
    assert owed() == 4 * (Decimal("0.5") * 2 + Decimal("1.5") * 4)
    assert Charge.objects.count() == 2


def test_a_part_of_a_card_that_changes_within_the_month_is_billed_part_by_part(world_made: World) -> None:
    world = world_made
    card = make_accelerator(world.make_node())
    tenth, fifth = make_slice(card, 100), make_slice(card, 200)
    lease = open_lease(
        contract=world.contract,
        accelerator_model=H100,
        from_at=NOON,
        to_at=None,
        price_per_gpu_hour=Decimal(10),
        now=MARCH,
        title="parts",
    )
    holds = [Hold(tenth, NOON, NOON + HOUR), Hold(fifth, NOON + HOUR, NOON + 2 * HOUR)]
    add_lease_allocations(lease=lease, holds=holds, now=MARCH)
    charge(world)
    rows = Charge.objects.order_by("from_at").values_list("quantity", "amount")
    assert list(rows) == [(Decimal(360), Decimal(1)), (Decimal(720), Decimal(2))]


def test_days_are_those_of_the_contract() -> None:
    world = make_world(time_zone="America/New_York", from_at=datetime(2026, 3, 1, 5, tzinfo=UTC))
    lease = world.lease(1, from_at=datetime(2026, 3, 8, 17, tzinfo=UTC), to_at=datetime(2026, 3, 9, 16, tzinfo=UTC))
    ensure_periods(contract=world.contract, now=NOON)
    period = BillingPeriod.objects.get()
    charge_period(period_id=period.id, up_to=APRIL, now=APRIL)
    rows = Charge.objects.filter(term_ref=lease.ref).order_by("day").values_list("day", "quantity")
    assert list(rows) == [(date(2026, 3, 8), Decimal(11 * 3600)), (date(2026, 3, 9), Decimal(12 * 3600))]


def test_usage_without_a_price_waits_visibly_until_there_is_one() -> None:
    world = make_world(tokens={("another model", "input"): "1"})
    shared = world.share(percent="100")
    shared.use({"input": 600_000, "output": 4}, at=NOON)
    assert charge(world, NOON + HOUR) == 0
    assert owed() == 0
    waiting = dict(UnpricedUsage.objects.values_list("token_class", "quantity"))
    assert waiting == {"input": Decimal(600_000), "output": Decimal(4)}
    assert unresolved(period=world.period())[f"{shared.term.ref} {MODEL} input tokens"] == 600_000
    shared.use({"input": 400_000}, at=NOON + HOUR)
    charge(world, NOON + 2 * HOUR)
    row = UnpricedUsage.objects.get(token_class="input")
    assert row.quantity == 1_000_000
    assert (row.first_seen_at, row.last_seen_at) == (NOON + HOUR, NOON + 2 * HOUR)

    assert world.book is not None
    prices = {(MODEL, "input"): Decimal(2), ("another model", "input"): Decimal(1)}
    publish_price_version(book=world.book, effective_at=NOON, token_prices=prices, gpu_prices={}, now=NOON + 2 * HOUR)
    charge(world, NOON + 3 * HOUR)
    assert owed() == Decimal(2)
    row.refresh_from_db()
    assert row.resolved_at == NOON + 3 * HOUR
    assert list(unresolved(period=world.period())) == [f"{shared.term.ref} {MODEL} output tokens"]


def test_a_closed_period_is_left_as_it_is(world: World) -> None:
    shared = world.share()
    ensure_periods(contract=world.contract, now=MARCH)
    BillingPeriod.objects.update(state=PeriodState.CLOSED)
    shared.use({"output": 1_000_000}, at=NOON)
    assert charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL).rated is None
    assert owed() == 0


def test_what_is_behind_is_charged_day_by_day_in_the_contracts_days() -> None:
    world, shanghai = make_world(tokens=PRICES), ZoneInfo("Asia/Shanghai")
    Contract.objects.update(time_zone="Asia/Shanghai")
    shared = world.share()
    ensure_periods(contract=world.contract, now=MARCH)
    period = world.period()
    late = period.from_at + timedelta(days=3, hours=5)
    for days in range(3):
        shared.use({"output": 1_000_000}, at=period.from_at + timedelta(days=days, hours=2))
    due = due_for_charging(now=late)
    first = period.from_at.astimezone(shanghai).date()
    assert [up_to.astimezone(shanghai).hour for _, up_to in due[:-1]] == [0] * (len(due) - 1)
    assert due[-1] == (period.id, late)
    for key, up_to in due:
        charge_period(period_id=key, up_to=up_to, now=late)
    days_of = Charge.objects.order_by("day").values_list("day", flat=True).distinct()
    assert len(days_of) == 3
    assert min(days_of) >= first
    assert due_for_charging(now=late) == []


def test_open_periods_are_due_once_an_hour(world_made: World) -> None:
    world = world_made
    ensure_periods(contract=world.contract, now=MARCH)
    key = world.period().id
    assert due_for_charging(now=MARCH + timedelta(minutes=59)) == []
    now = NOON + timedelta(minutes=5)
    behind = [(key, MARCH + timedelta(days=days)) for days in range(1, 5)]
    assert due_for_charging(now=now) == [*behind, (key, NOON)]
    charge_period(period_id=key, up_to=NOON, now=now)
    assert due_for_charging(now=now) == []
    assert due_for_charging(now=now + HOUR) == [(key, NOON + HOUR)]
    charge_period(period_id=key, up_to=APRIL + HOUR, now=APRIL)
    assert due_for_charging(now=APRIL + 5 * HOUR) == []


@pytest.mark.parametrize("statement", ["DELETE FROM billing_charge", "UPDATE billing_charge SET amount = 0"])
def test_a_charge_cannot_change(statement: str, world_made: World) -> None:
    world = world_made
    world.lease(1)
    charge(world, NOON)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_workers_that_charge_one_period_at_once_book_it_once() -> None:
    world = make_world(tokens=PRICES)
    world.lease(2, price="2.35")
    world.share(percent="100").use({"input": 1_000_000, "output": 1_000_000}, at=NOON)
    ensure_periods(contract=world.contract, now=MARCH)
    period_id = world.period().id
    ready = threading.Barrier(4)

    def run() -> None:
        ready.wait()
        charge_period(period_id=period_id, up_to=NOON + HOUR, now=NOON + HOUR)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert owed() == Decimal("1.38") + 2 * Decimal("2.35") * (4 * 24 + 13)
    assert set(Charge.objects.values_list("seq", flat=True)) == {1}


@pytest.mark.unmeasured
@settings(max_examples=examples(8), deadline=None)
@given(
    usage=st.lists(
        st.tuples(st.integers(0, 47), st.sampled_from(["input", "output"]), st.integers(1, 10**12)),
        min_size=1,
        max_size=10,
        unique_by=lambda each: each[:2],
    ),
    seed=st.integers(0, 10**6),
)
def test_charges_do_not_depend_on_the_order_in_which_usage_arrives(
    usage: list[tuple[int, str, int]], seed: int
) -> None:
    with transaction.atomic():
        straight = _charged_in_order(usage, every=len(usage))
        shuffled = [*usage]
        Random(seed).shuffle(shuffled)
        assert _charged_in_order(shuffled, every=1 + seed % 3) == straight
        expected = sum(tokens * Decimal(PRICES[MODEL, token_class]) / 1_000_000 for _, token_class, tokens in usage)
        assert sum(amount for _, _, amount in straight) == expected
        transaction.set_rollback(True)


def _charged_in_order(usage: list[tuple[int, str, int]], every: int) -> list[tuple[date, str, Decimal]]:
    """Let usage arrive in the order given, charging after every so many; return the sums of the lines."""
    world = make_world(tokens={key: price for key, price in PRICES.items() if key[1] != "cached_input"})
    shared = world.share(percent="100")
    ensure_periods(contract=world.contract, now=MARCH)
    period_id = world.period().id
    for number, (hour, token_class, tokens) in enumerate(usage, 1):
        shared.use({token_class: tokens}, at=MARCH + hour * HOUR)
        if number % every == 0:
            charge_period(period_id=period_id, up_to=MARCH + number * HOUR, now=MARCH)
    charge_period(period_id=period_id, up_to=APRIL, now=APRIL)
    rows = Charge.objects.filter(period_id=period_id).values_list("day", "token_class")
    return list(rows.annotate(sum=Sum("amount")).order_by("day", "token_class"))
