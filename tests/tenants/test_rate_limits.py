"""A key makes so many calls a minute, in all processes together; every answer says how many are left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from tenants import rate_limits
from tenants.api_keys import revoke_key
from tenants.models import ApiKey
from tenants.problem_response import CONTENT_TYPE
from tenants.rate_limits import BLOCKS, UNCOUNTED, Meter, RateLimits
from tests.filled import api_key

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries, Settings

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)


def allowed(meter: Meter, times: int, *, limit: int, now: datetime = NOW, caller: str = "key a") -> int:
    return sum(meter.count(caller=caller, limit=limit, now=now).allowed for _ in range(times))


@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101, 1_200])
def test_one_process_hands_out_exactly_the_limit(limit: int) -> None:
    assert allowed(Meter(), limit + 50, limit=limit) == limit


@pytest.mark.parametrize("limit", [10, 250, 1_000])
def test_several_processes_share_it(limit: int) -> None:
    processes = [Meter() for _ in range(4)]
    total = 0
    for turn in range(2 * limit):
        total += allowed(processes[turn % 4], 1, limit=limit)
    block = -(-limit // BLOCKS)
    assert limit - 3 * (block - 1) <= total <= limit


def test_a_process_that_comes_late_gets_nothing_more() -> None:
    assert allowed(Meter(), 300, limit=200) == 200
    assert allowed(Meter(), 300, limit=200) == 0


def test_the_next_minute_begins_anew_and_callers_are_apart() -> None:
    meter = Meter()
    assert allowed(meter, 20, limit=5) == 5
    assert allowed(meter, 20, limit=5, caller="key b") == 5
    assert allowed(meter, 20, limit=5, now=NOW + timedelta(seconds=39)) == 0
    assert allowed(meter, 20, limit=5, now=NOW + timedelta(seconds=40)) == 5


def test_a_server_whose_clock_is_behind_gets_no_second_window() -> None:
    assert allowed(Meter(), 20, limit=5, now=NOW + timedelta(minutes=1)) == 5
    assert allowed(Meter(), 20, limit=5) == 0


def test_what_is_left_falls_to_nothing_and_says_when_it_is_back() -> None:
    meter = Meter()
    standings = [meter.count(caller="key a", limit=3, now=NOW) for _ in range(5)]
    assert [one.left for one in standings] == [2, 1, 0, 0, 0]
    assert {one.reset_s for one in standings} == {40}


def test_few_calls_ask_the_database(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    meter = Meter()
    with django_assert_num_queries(10):
        allowed(meter, 100, limit=1_000)
    allowed(meter, 2_000, limit=1_000)
    with django_assert_num_queries(0):
        assert allowed(meter, 100, limit=1_000) == 0


def test_memory_does_not_grow_with_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "CALLERS_MAX", 3)
    meter = Meter()
    assert [allowed(meter, 2, limit=1, caller=f"key {number}") for number in range(8)] == [1] * 8
    assert allowed(meter, 2, limit=1, caller="key 0") == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 70)), max_size=60), st.integers(1, 12))
def test_no_order_of_calls_exceeds_the_limit_of_a_window(calls: list[tuple[int, int]], limit: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_ratewindow")
    processes = [Meter() for _ in range(3)]
    seconds = 0
    given_out: dict[int, int] = {}
    for process, further in calls:
        seconds += further
        now = NOW.replace(second=0) + timedelta(seconds=seconds)
        given_out[seconds // 60] = given_out.get(seconds // 60, 0) + allowed(
            processes[process], 1, limit=limit, now=now
        )
    assert all(count <= limit for count in given_out.values())


def call(middleware: RateLimits, secret: str = "", address: str = "10.0.0.1", path: str = "/api/v1/x") -> HttpResponse:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return middleware(RequestFactory().get(path, headers=headers, REMOTE_ADDR=address))


@pytest.fixture
def limited(settings: Settings) -> RateLimits:
    settings.API_CALLS_PER_MINUTE = 3
    return RateLimits(lambda _request: HttpResponse("fine"))


def test_keys_count_apart_and_strangers_by_address(cast: Cast, limited: RateLimits) -> None:
    one, other = api_key(cast.tenant), api_key(cast.provider)
    for caller in ({"secret": one}, {"secret": other}, {"address": "10.0.0.2"}):
        assert [call(limited, **caller).status_code for _ in range(4)] == [200, 200, 200, 429], caller
    # Guesses do not get a count of their own each.
    assert [call(limited, f"fk_guess{n}", "10.0.0.3").status_code for n in range(5)] == [200, 200, 200, 429, 429]


def test_a_key_that_was_revoked_counts_by_address_from_the_next_minute_on(
    cast: Cast, limited: RateLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = api_key(cast.tenant)
    assert call(limited, secret).status_code == 200
    key = ApiKey.objects.get(organization=cast.tenant)
    revoke_key(key_id=key.pk, organization=cast.tenant, actor="alice", now=NOW)
    assert call(RateLimits(limited._get_response), secret, "10.0.0.9")["RateLimit-Remaining"] == "2"


def test_an_answer_says_how_the_caller_stands(cast: Cast, limited: RateLimits) -> None:
    secret = api_key(cast.tenant)
    answer = call(limited, secret)
    assert (answer["RateLimit-Limit"], answer["RateLimit-Remaining"], answer["RateLimit-Policy"]) == (
        "3",
        "2",
        "3;w=60",
    )
    assert 1 <= int(answer["RateLimit-Reset"]) <= 60
    refused = [call(limited, secret) for _ in range(3)][-1]
    assert refused.headers["Content-Type"] == CONTENT_TYPE
    assert b'"rate_limited"' in refused.content
    assert refused["Retry-After"] == refused["RateLimit-Reset"]


@pytest.mark.parametrize("path", ["/t/usage/", "/health/live", "/compat/openmeter/api/v1/events"])
def test_pages_and_reports_of_gateways_are_not_counted(limited: RateLimits, path: str) -> None:
    assert not {name for name in call(limited, path=path).headers if name.startswith("RateLimit")}


def test_what_agents_and_gateways_send_is_not_counted(cast: Cast, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 1
    client: Any = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"})
    for method, path in sorted(UNCOUNTED):
        for _ in range(3):
            answer = client.generic(method, path, b"x")
            assert answer.status_code not in (405, 429), path


def test_no_limit_is_no_limit(limited: RateLimits, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 0
    assert {call(limited).status_code for _ in range(9)} == {200}
