from __future__ import annotations

from datetime import timedelta

import pytest

from billing.queries.usage_hours import usage_hours
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.world import MARCH
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


month = kept(make_march)


def test_hours_sum_to_the_day(cast: Cast, month: Month) -> None:
    month.large.use({"input": 7, "output": 3}, at=MARCH + timedelta(hours=23), model=LARGE)
    found = usage_hours(cast.tenant, MARCH, MARCH + DAY, "UTC")
    assert len(found) == 24
    assert sum(hour.tokens.total for hour in found) == 3_500_010
    assert found[9].tokens_by_model == {LARGE: 2_400_000, SMALL: 1_100_000}
    assert found[9].tokens.cached_input == 500_000
    assert found[23].tokens_by_model == {LARGE: 10}
    assert found[0].tokens_by_model == {}


def test_a_part_of_an_hour_belongs_to_the_hour_it_begins_in(cast: Cast, month: Month) -> None:
    at = MARCH + timedelta(hours=4, minutes=40)
    month.small.use({"input": 5}, at=at, to_at=MARCH + timedelta(hours=5), model=SMALL)
    found = usage_hours(cast.tenant, MARCH, MARCH + DAY, "UTC")
    assert found[4].tokens_by_model == {SMALL: 5}


def test_hours_of_a_zone_of_half_hours_begin_with_its_day(cast: Cast, month: Month) -> None:
    start = MARCH + timedelta(hours=18, minutes=30)
    month.small.use({"input": 5}, at=MARCH + timedelta(hours=19), model=SMALL)
    found = usage_hours(cast.tenant, start, start + DAY, "Asia/Kolkata")
    assert found[0].at == start
    assert found[0].tokens_by_model == {SMALL: 5}
