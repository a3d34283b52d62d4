"""The command that sums days, makes them anew, and finds what is not what hours come to."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from metering.day_models import UsageDay, UsageDaysSummed, UsageWeek
from metering.usage_days import sum_days
from tests.billing.world import MARCH, make_world
from tests.metering.test_usage_days import LATER

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def said(*options: str) -> str:
    out = StringIO()
    call_command("sum_usage_days", *options, stdout=out, stderr=out)
    return out.getvalue()


def test_sums_are_checked_and_made_anew(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: LATER)
    assert said("--check") == "No day is summed.\n"
    make_world(parties=(cast.provider, cast.tenant)).share().use({"input": 5}, at=MARCH)
    assert said() == "5 days summed.\n"
    assert said("--check") == "Every sum to 2026-03-05 is what the hours come to.\n"
    assert said() == "0 days summed.\n"
    UsageDay.objects.update(value=6)
    with pytest.raises(SystemExit):
        said("--check")
    UsageDay.objects.update(value=5)
    UsageWeek.objects.update(value=6)
    with pytest.raises(SystemExit):
        said("--check")
    assert said("--again") == "5 days summed.\n"
    assert UsageDay.objects.get().value == 5
    said("--check")


def test_a_day_is_summed_where_the_worker_stopped(cast: Cast) -> None:
    make_world(parties=(cast.provider, cast.tenant)).share().use({"input": 5}, at=MARCH)
    assert sum_days(now=LATER) == 1
    assert UsageDaysSummed.objects.get().day == MARCH.date()
