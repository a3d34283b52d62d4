"""Series hold what pieces of usage do, whether they are read from hours or from sums of days."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from billing.queries.usage_windows import windows_of
from billing.summed_days import summed_of
from billing.usage_groups import Stretches, days_in
from billing.usage_reading import Series, series_of, used_of
from billing.usage_spans import usage_spans
from metering.day_models import UsageDay
from tests.billing.test_summed_days import DAY, HOUR, make_random, sum_all, use_random
from tests.billing.world import MARCH
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from billing.rating.inputs import Used
    from tests.factories import Cast

Counts = Counter[tuple[object, ...]]


def counts_of(found: Iterable[tuple[tuple[int, UUID], Iterable[Used]]]) -> Counts:
    """Add usage up by all that decides what it is shown as."""
    sums: Counts = Counter()
    for (window, term), pieces in found:
        for used in pieces:
            day = used.from_at.astimezone(UTC).date()
            about = (used.deployment, used.model, used.quantity, used.quality, used.context_over, used.marks)
            sums[window, term, day, *about, used.caller] += used.count
    return sums


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(examples(2)))
def test_series_are_what_is_read_piece_by_piece(cast: Cast, seed: int) -> None:
    random = Random(seed)
    world, shared = make_random(cast, random)
    middle, end = MARCH + 4 * DAY + 5 * HOUR, MARCH + 9 * DAY + 7 * HOUR
    windows = [one for since, to in ((MARCH, middle), (middle, end)) for one in windows_of(world.contract, since, to)]
    spans = usage_spans(windows)
    deployments = {span.deployment_id for span in spans}
    stretches = Stretches([middle], days_in("UTC", deployments, deployments))
    for is_summed in (False, True):
        if is_summed:
            sum_all(MARCH + 7 * DAY + HOUR)
            use_random(shared, random, 3)
            assert UsageDay.objects.exists()
        for told in ((), (1,), (0, 1)):
            series = series_of(spans, stretches, told=told, summed=summed_of(spans) if is_summed else None)
            pieces = [(about, [used for one in its for used in one.used()]) for about, its in series.items()]
            found = counts_of(pieces)
            assert found == counts_of(used_of(spans, stretches, told=told).items())
            assert {window for window, *_, caller in found if caller} == set(told)


def test_a_series_is_used_stretch_by_stretch() -> None:
    at = MARCH + HOUR
    one = Series("d", "m", "input", "E", 128_000, "batch", [(MARCH, at, "", 5), (at, at + timedelta(1), "k|", 6)])
    [first, second] = one.used()
    assert (first.from_at, first.to_at, first.count, first.caller) == (MARCH, at, 5, "")
    assert (second.from_at, second.count, second.caller) == (at, 6, "k|")
    assert {
        (each.deployment, each.model, each.quantity, each.quality, each.context_over, each.marks)
        for each in (first, second)
    } == {("d", "m", "input", "E", 128_000, "batch")}
