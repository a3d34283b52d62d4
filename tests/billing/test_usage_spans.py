"""Which usage bills under which term: spans are within window, binding and wording, and never count twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from billing.models import TermDeployment
from billing.rating.book import TokenClass
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import read_wording
from billing.term_versions import TermChange, add_version
from billing.terms import terms_of
from billing.usage_spans import Window, billed_usage, by_deployment, metered_by, usage_records, usage_spans
from metering.models import Quality, UsageHour, Witness
from tests.billing.test_agreeing import priced
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MIDDLE = MARCH + 14 * DAY
NIGHT = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.5"}


world = kept(make_world)


@kept
def world_made() -> World:
    return make_world(tokens={(MODEL, "output"): "4"})


def test_a_deployment_bills_over_the_whole_window_as_its_wording_says(world: World) -> None:
    share = world.share(witness=Witness.ENGINE)
    [span] = usage_spans([Window(world.contract, MARCH, APRIL)])
    assert (span.deployment_id, span.term_id, span.window) == (share.deployment.id, share.term.id, 0)
    assert (span.from_at, span.to_at, span.witness) == (MARCH, APRIL, "engine")
    assert set(span.quantities) == set(TokenClass)


def test_leases_and_contracts_without_terms_have_no_usage(world: World) -> None:
    world.lease()
    assert usage_spans([Window(world.contract, MARCH, APRIL), Window(make_world().contract, MARCH, APRIL)]) == []
    assert usage_spans([]) == []


def test_a_binding_that_begins_late_and_ends_early_cuts_the_span(world: World) -> None:
    share = world.share()
    bound = TermDeployment.objects.filter(term=share.term)
    bound.update(from_at=MARCH + DAY, to_at=MIDDLE)
    [span] = usage_spans([Window(world.contract, MARCH, APRIL)])
    assert (span.from_at, span.to_at) == (MARCH + DAY, MIDDLE)
    assert usage_spans([Window(world.contract, MIDDLE, APRIL)]) == []


def test_a_wording_agreed_inside_the_window_divides_it_and_brings_its_witness(world: World) -> None:
    term = world.share(witness=Witness.GATEWAY).term
    other = TokenShareWording(share_percent=Decimal(30), witness="engine")
    add_version(
        contract=world.contract, changes=[TermChange(term, [(MIDDLE, other)], {})], effective_at=MIDDLE, now=MARCH
    )
    spans = usage_spans([Window(world.contract, MARCH, APRIL)])
    assert [(span.from_at, span.to_at, span.witness) for span in spans] == [
        (MARCH, MIDDLE, "gateway"),
        (MIDDLE, APRIL, "engine"),
    ]


def test_windows_of_hours_at_night_are_told_apart_without_gap_or_overlap() -> None:
    world = make_world(tokens={(MODEL, "output"): "4"}, time_zone="Asia/Kolkata")
    priced(world, off_peak=[NIGHT])
    spans = usage_spans([Window(world.contract, MARCH, MARCH + 2 * DAY)])
    assert {"00:30", "16:30"} <= {span.from_at.strftime("%H:%M") for span in spans}
    assert all(before.to_at == after.from_at for before, after in pairwise(spans))
    assert (spans[0].from_at, spans[-1].to_at) == (MARCH, MARCH + 2 * DAY)


def test_each_window_has_its_own_spans_by_its_number() -> None:
    world, other = make_world(), make_world()
    first, second = world.share(), other.share()
    windows = [Window(other.contract, MARCH, APRIL), Window(world.contract, MIDDLE, APRIL)]
    found = {span.window: span for span in usage_spans(windows)}
    assert found[0].term_id == second.term.id
    assert (found[1].term_id, found[1].from_at) == (first.term.id, MIDDLE)


def test_three_queries_whatever_the_number_and_one_where_the_terms_were_read(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    worlds = [make_world() for _ in range(3)]
    for world in worlds:
        world.share()
        world.share()
    windows = [Window(world.contract, MARCH, APRIL) for world in worlds]
    with django_assert_num_queries(3):
        found = usage_spans(windows)
    assert len(found) == 6
    terms = terms_of([world.contract.id for world in worlds])
    with django_assert_num_queries(1):
        assert usage_spans(windows, terms) == found


def test_what_bills_is_of_the_witness_in_the_half_open_time_and_of_sure_quality(world: World) -> None:
    share = world.share(witness=Witness.GATEWAY)
    inside = share.use({"output": 1}, at=MARCH) + share.use({"output": 2}, at=MIDDLE - HOUR)
    share.use({"output": 4}, at=MIDDLE)
    share.use({"output": 8}, at=MARCH + HOUR, witness=Witness.ENGINE)
    share.use({"output": 16}, at=MARCH + 2 * HOUR, quality=Quality.QUARANTINED)
    inside += share.use({"output": 32}, at=MARCH + 3 * HOUR, quality=Quality.ESTIMATED)
    world.share().use({"output": 64}, at=MIDDLE)
    spans = usage_spans([Window(world.contract, MARCH, MIDDLE)])
    assert set(billed_usage(spans)) == set(inside)
    assert not billed_usage([]).exists()


def test_what_is_no_token_is_billed_by_price_and_not_by_share_and_is_no_record(world_made: World) -> None:
    world = world_made
    share, price = world.share(), priced(world)
    for term in (share, price):
        term.use({"output": 1, "input": 1, "images": 3}, at=MARCH, records=5)
    spans = by_deployment(usage_spans([Window(world.contract, MARCH, APRIL)]))
    of_share = billed_usage(spans[share.deployment.id])
    of_price = billed_usage(spans[price.deployment.id])
    assert set(of_share.values_list("quantity", flat=True)) == {"output", "input"}
    assert set(of_price.values_list("quantity", flat=True)) == {"output", "input", "images"}
    assert (usage_records(of_share), usage_records(of_price)) == (5, 5)
    assert usage_records(UsageHour.objects.filter(quantity="images")) == 0


def test_spans_of_a_deployment_are_in_order_of_time(world_made: World) -> None:
    world = world_made
    price = priced(world, off_peak=[NIGHT])
    share = world.share()
    spans = usage_spans([Window(world.contract, MARCH, APRIL)])
    found = by_deployment(reversed(spans))
    assert set(found) == {price.deployment.id, share.deployment.id}
    for each in found.values():
        assert each == sorted(each, key=lambda span: span.from_at)
    assert sum(len(each) for each in found.values()) == len(spans)


def test_a_wording_says_who_counts_and_one_percent_may_differ_where_it_says_nothing() -> None:
    said = {"kind": "token_price", "witness": "engine", "tolerance_percent": "0.25"}
    assert metered_by(read_wording(TokenPriceWording, said)) == ("engine", Decimal("0.25"))
    assert metered_by(TokenPriceWording(witness="gateway")) == ("gateway", Decimal(1))
    with pytest.raises(AttributeError):
        metered_by(LeaseWording())
