"""What an address may ask of the log, with days that are none and words that are none of SQL's business."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from tenants.audit.choosing import choice_of
from tenants.audit.reading import entries_of
from tenants.models import Membership, Role
from tests.tenants.audit.entries import HOUR, NOW, write

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast


def asked(text: str) -> QueryDict:
    return QueryDict(text)


@pytest.mark.parametrize(
    "day",
    ["", "2026", "2026-02-30", "2026-13-01", "tomorrow", "0000-01-01", "10000-01-01", "-1", "2026-3-1x"],
)
def test_a_day_that_is_none_asks_for_nothing(day: str) -> None:
    choice = choice_of(_query(day))
    assert (choice.from_at, choice.to_at) == (None, None)


def _query(day: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query["from"] = query["to"] = day
    return query


@given(st.dates(max_value=datetime(9999, 12, 30).date()))  # noqa: DTZ001  a day of a calendar
def test_both_days_are_included(day: object) -> None:
    choice = choice_of(asked(f"from={day}&to={day}"))
    assert choice.from_at is not None
    assert choice.to_at is not None
    assert choice.to_at - choice.from_at == timedelta(days=1)
    assert choice.from_at.tzinfo is UTC


def test_after_the_last_day_there_is_nothing_to_leave_out() -> None:
    choice = choice_of(asked("from=9999-12-31&to=9999-12-31"))
    assert (choice.from_at, choice.to_at) == (datetime(9999, 12, 31, tzinfo=UTC), None)


@pytest.mark.parametrize("side", ["/t/audit/", "/t/audit.csv"])
@pytest.mark.parametrize(
    "query",
    [
        "to=9999-12-31",
        "from=0001-01-01",
        "from=2026-03-02&to=2026-03-01",
        "actor=%27%20OR%201=1--",
        "subject=%25&action=_",
        "actor=" + "x" * 5_000,
        "action=%5C",
        "actor=%ed%a0%80",
        "unknown=1",
    ],
)
def test_no_address_of_the_log_is_a_fault(cast: Cast, client: Client, side: str, query: str) -> None:
    write(cast.tenant)
    client.force_login(cast.alice)
    answer = client.get(f"{side}?{query}")
    assert answer.status_code == 200
    if answer.streaming:
        b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "eyJhIjoxfQ", "W251bGwsbnVsbF0", "%00", "WyJ4IiwieSJd"])
def test_a_page_that_is_none_is_not_found(cast: Cast, client: Client, cursor: str) -> None:
    client.force_login(cast.alice)
    assert client.get(f"/t/audit/?cursor={cursor}").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("sign", ["%", "_", "\\", "'", '"'])
def test_signs_of_searching_stand_for_themselves(cast: Cast, sign: str) -> None:
    write(cast.tenant, actor="alice@example.com")
    marked = write(cast.tenant, actor=f"a{sign}b@example.com")
    assert list(entries_of(cast.tenant, choice_of(_words(actor=sign)))) == marked


def _words(**words: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(words)
    return query


@pytest.mark.django_db
def test_an_instant_belongs_to_one_day(cast: Cast) -> None:
    midnight = NOW.replace(hour=0)
    [first] = write(cast.tenant, at=midnight)
    [last] = write(cast.tenant, at=midnight + timedelta(days=1) - timedelta(microseconds=1))
    [after] = write(cast.tenant, at=midnight + timedelta(days=1))
    day, following = f"{midnight:%Y-%m-%d}", f"{midnight + timedelta(days=1):%Y-%m-%d}"
    assert set(entries_of(cast.tenant, choice_of(asked(f"from={day}&to={day}")))) == {first, last}
    assert set(entries_of(cast.tenant, choice_of(asked(f"from={following}")))) == {after}


def test_the_file_is_the_page_and_runs_no_formula(cast: Cast, client: Client) -> None:
    write(cast.tenant, count=3, actor="=1+1", subject="@SUM(A1)", after={"name": "=2"}, before=None)
    write(cast.outsider, actor="charlie@example.com")
    client.force_login(cast.alice)
    answer = client.get("/t/audit.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = [one for one in csv.DictReader(io.StringIO(text, newline="")) if one["action"] == "member.removed"]
    assert [(one["actor"], one["subject"], one["before"], one["after"]) for one in rows] == [
        ("'=1+1", "'@SUM(A1)", "", '{"name": "=2"}')
    ] * 3
    assert [one["at"] for one in rows] == [f"{NOW + n * HOUR:%Y-%m-%dT%H:%M:%SZ}" for n in (2, 1, 0)]
    assert "charlie" not in text


def test_what_was_written_is_shown_as_text(cast: Cast, client: Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    write(cast.tenant, actor=evil, subject=evil, after={evil: evil}, action=evil[:40])
    client.force_login(cast.alice)
    page = client.get("/t/audit/").content.decode()
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 3
    assert "<img" not in client.get("/t/audit/?actor=%3Cimg+src%3Dx%3E").content.decode()


@pytest.mark.parametrize("role", Role.values)
def test_the_log_opens_to_owners_and_admins(cast: Cast, client: Client, role: str) -> None:
    Membership.objects.filter(user=cast.bob).update(role=role)
    client.force_login(cast.bob)
    expected = 200 if role in (Role.OWNER, Role.ADMIN) else 403
    assert client.get("/t/audit/").status_code == expected
    assert client.get("/t/audit.csv").status_code == expected


def test_the_log_is_read_in_chinese(cast: Cast, client: Client) -> None:
    write(cast.tenant)
    client.force_login(cast.alice)
    page = client.get("/t/audit/?actor=nobody", headers={"Accept-Language": "zh-Hans"}).content.decode()
    assert "No entry fits" not in page
    assert "您" not in page
