"""Processes that count for one key at the same time never hand out more than its limit together."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.test import Client

from tenants.rate_limits import BLOCKS, Meter
from tests.filled import api_key

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast

NOW = datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)
PROCESSES = 3


def beside_each_other(act: Any) -> list[Any]:
    """What each of several workers, each with its own connection and its own memory, got."""
    begin = threading.Barrier(PROCESSES)
    found: list[Any] = []

    def run() -> None:
        try:
            begin.wait(30)
            found.append(act())
        finally:
            connections.close_all()

    workers = [threading.Thread(target=run) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [1, 40, 250])
def test_several_at_once_hand_out_the_limit_and_no_more(limit: int) -> None:
    def count() -> int:
        meter = Meter()
        return sum(meter.count(caller="key a", limit=limit, now=NOW).allowed for _ in range(limit + 20))

    handed = beside_each_other(count)
    assert len(handed) == PROCESSES
    assert sum(handed) == limit, "who asks on gets what the others have not taken"


@pytest.mark.django_db(transaction=True)
def test_at_the_turn_of_a_minute_the_two_have_no_more_than_two_limits() -> None:
    def count() -> tuple[int, int]:
        meter = Meter()
        first, second = (
            sum(meter.count(caller="key a", limit=30, now=at).allowed for _ in range(40))
            for at in (NOW, NOW + timedelta(minutes=1))
        )
        return first, second

    handed = beside_each_other(count)
    # Who is late in the first minute takes from the second one, which another has begun: never from both.
    assert sum(second for _, second in handed) <= 30
    assert 30 <= sum(first + second for first, second in handed) <= 60


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 5, 100, 101])
def test_what_two_processes_may_refuse_early_is_less_than_a_block_each(limit: int) -> None:
    one, other = Meter(), Meter()
    handed = 0
    for _ in range(2 * limit + 4):
        handed += one.count(caller="key a", limit=limit, now=NOW).allowed
        handed += other.count(caller="key a", limit=limit, now=NOW).allowed
    assert limit - (-(-limit // BLOCKS) - 1) <= handed <= limit


@pytest.mark.django_db
def test_over_the_limit_each_answer_is_a_problem_that_says_when_to_come_back(cast: Cast, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 4
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"})
    answers = [client.get("/api/v1/projects") for _ in range(9)]
    # A minute may turn between two calls; then the second has its own four.
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert 4 <= statuses.count(200) <= 8
    for answer in answers:
        assert answer.headers["RateLimit-Limit"] == "4"
        assert answer.headers["RateLimit-Policy"] == "4;w=60"
        assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60
        assert (answer.headers["RateLimit-Remaining"] == "0") or answer.status_code == 200
        assert ("Retry-After" in answer.headers) == (answer.status_code == 429)
    refused = next(answer for answer in answers if answer.status_code == 429)
    told = refused.json()
    assert (told["status"], told["code"], told["limit"]) == (429, "rate_limited", 4)
    assert f"all are back in {refused.headers['Retry-After']} s" in told["detail"]
    assert "ETag" not in refused.headers
