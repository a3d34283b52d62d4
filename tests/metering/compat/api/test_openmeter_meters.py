"""OpenMeter's meters over our usage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from metering.compat import meter_query
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.compat.callers import Program
from tests.metering.compat.test_cloudevents import cloud_event

if TYPE_CHECKING:
    from tests.factories import Cast

METERS = "openmeter/api/v1/meters"
DAY = "from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z"


@pytest.fixture
def provider(cast: Cast) -> Program:
    """A provider's program that has sent three events in two hours."""
    make_deployment(cast.provider, cast.tenant)
    program = Program(cast.provider)
    data = {"model": "other", "prompt_tokens": 1, "completion_tokens": 2}
    events = [
        cloud_event(),
        cloud_event(id="2", time="2026-03-10T11:30:00Z"),
        cloud_event(id="3", time="2026-03-10T13:00:00Z", data=data),
    ]
    program.post("openmeter/api/v1/events", events, "application/cloudevents-batch+json")
    roll_up_events(now=timezone.now() + timedelta(seconds=1))
    return program


def data_of(answer: Any) -> list[tuple[Any, ...]]:
    assert answer.status_code == 200, answer.content
    rows = answer.json()["data"]
    return [(row["windowStart"][11:16], row["value"], row["subject"], row["groupBy"]) for row in rows]


def test_meters_are_listed_and_found_by_slug_and_id(provider: Program) -> None:
    listed = provider.get(METERS).json()
    assert [one["slug"] for one in listed][:1] == ["input_tokens"]
    for one in listed:
        assert provider.get(f"{METERS}/{one['slug']}").json() == provider.get(f"{METERS}/{one['id']}").json() == one
        assert len(one["id"]) == 26
    assert provider.get(f"{METERS}/nothing").status_code == 404
    assert provider.get(f"{METERS}/nothing/query").status_code == 404


def test_a_query_sums_by_window_and_group(provider: Program) -> None:
    path = f"{METERS}/output_tokens/query?{DAY}"
    assert data_of(provider.get(path)) == [("00:00", 12, None, {})]
    assert data_of(provider.get(f"{path}&windowSize=HOUR")) == [("11:00", 10, None, {}), ("13:00", 2, None, {})]
    grouped = data_of(provider.get(f"{path}&windowSize=DAY&groupBy=model&groupBy=subject"))
    assert grouped == [("00:00", 2, "tenant", {"model": "other"}), ("00:00", 10, "tenant", {"model": "sample-model"})]
    minutes = data_of(provider.get(f"{path}&windowSize=MINUTE"))
    assert minutes == [("11:00", 5, None, {}), ("11:30", 5, None, {}), ("13:00", 2, None, {})]
    assert data_of(provider.get(f"{METERS}/requests/query?{DAY}&windowSize=MINUTE"))[0][1] == 1
    assert data_of(provider.get(f"{METERS}/requests/query?{DAY}&windowSize=MONTH"))[0][1] == 3


def test_a_query_chooses_subjects_and_groups(provider: Program) -> None:
    path = f"{METERS}/input_tokens/query?{DAY}"
    assert data_of(provider.get(f"{path}&filterGroupBy[model]=other")) == [("00:00", 1, None, {})]
    assert data_of(provider.get(f"{path}&subject=nobody")) == []
    provider.post("subjects", {"subject": "acct-9", "tenant": "tenant"})
    assert data_of(provider.get(f"{path}&subject=acct-9")) == [("00:00", 21, None, {})]


def test_a_query_by_post_and_in_csv(provider: Program) -> None:
    body = {
        "from": "2026-03-10T00:00:00Z",
        "to": "2026-03-11T00:00:00Z",
        "windowSize": "DAY",
        "groupBy": ["model"],
        "filterGroupBy": {"model": ["other"]},
    }
    assert data_of(provider.post(f"{METERS}/input_tokens/query", body)) == [("00:00", 1, None, {"model": "other"})]
    answer = provider.get(f"{METERS}/input_tokens/query?{DAY}&groupBy=model", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.content.decode().splitlines()[:2] == [
        "window_start,window_end,model,value",
        "2026-03-10T00:00:00Z,2026-03-11T00:00:00Z,other,1",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "from=soon",
        "from=2026-03-11T00:00:00Z&to=2026-03-10T00:00:00Z",
        "windowSize=YEAR",
        "windowSize=MINUTE",
        "windowTimeZone=Mars/Crater",
        "windowTimeZone=../x",
        "groupBy=colour",
        "to=0001-01-02T00:00:00Z",
        "from=2026-03-10T00:00:00Z&to=9999-12-31T23:00:00Z&windowSize=MONTH",
    ],
)
def test_a_wrong_parameter_is_a_problem(provider: Program, wrong: str) -> None:
    answer = provider.get(f"{METERS}/input_tokens/query?{wrong}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert provider.post(f"{METERS}/input_tokens/query", b"[").status_code == 400


@pytest.mark.parametrize("window", ["HOUR", "MINUTE"])
def test_what_is_too_much_is_refused_and_never_cut_to_a_smaller_sum(
    provider: Program, monkeypatch: pytest.MonkeyPatch, window: str
) -> None:
    path = f"{METERS}/input_tokens/query?{DAY}&windowSize={window}"
    monkeypatch.setattr(meter_query, "ROWS_MAX", 3)
    assert sum(row[1] for row in data_of(provider.get(path))) == 21
    monkeypatch.setattr(meter_query, "ROWS_MAX", 1)
    answer = provider.get(path)
    assert (answer.status_code, answer.json()["title"]) == (400, "The query asks for too much")


def test_a_day_of_another_zone_ends_where_that_day_ends(provider: Program) -> None:
    path = f"{METERS}/input_tokens/query?{DAY}&windowSize=DAY&windowTimeZone=Asia/Kolkata"
    row = provider.get(path).json()["data"][0]
    assert (row["windowStart"], row["windowEnd"]) == ("2026-03-09T18:30:00Z", "2026-03-10T18:30:00Z")


def test_another_organization_sees_none_of_it(cast: Cast, provider: Program) -> None:
    assert data_of(Program(cast.outsider).get(f"{METERS}/input_tokens/query?{DAY}")) == []
    assert data_of(Program(cast.tenant).get(f"{METERS}/input_tokens/query?{DAY}"))[0][1] == 21
