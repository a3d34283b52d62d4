"""OpenMeter's meters: list, get, and query by `GET` or `POST`, in JSON or CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from metering.compat.api.openmeter import QueryInvalid, instant_in, problem
from metering.compat.callers import READ, endpoint, key_of
from metering.compat.meter_query import (
    GROUPS,
    METERS,
    MINUTES_SPAN_MAX,
    MeterQuery,
    MeterRow,
    meter_id,
    meter_slug,
    query_meter,
)
from metering.sent_bodies import read_sent
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

QUERY_BYTES_MAX: Final = 65_536
DEFAULT_SPAN: Final = timedelta(days=31)
SINCE: Final = "2026-01-01T00:00:00Z"


class MeterNotFound(Problem):
    """No meter has this id or slug."""

    status = 404
    code = "meter_not_found"
    title = "Not Found"


class QueryBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a query by `POST`; unknown members are passed over."""

    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    window_size: str | None = None
    window_time_zone: str = "UTC"
    subject: list[str] = []
    group_by: list[str] = []
    filter_group_by: dict[str, list[str] | str] = {}


def list_meters(request: HttpRequest) -> HttpResponse:
    """List the meters."""
    key_of(request, READ, timezone.now())
    return _json([_meter(slug) for slug in METERS])


def get_meter(request: HttpRequest, id_or_slug: str) -> HttpResponse:
    """Show one meter."""
    key_of(request, READ, timezone.now())
    return _json(_meter(_known(id_or_slug)))


def get_query(request: HttpRequest, id_or_slug: str) -> HttpResponse:
    """Query one meter by parameters."""
    given = request.GET
    filters = {
        name.removeprefix("filterGroupBy[").removesuffix("]"): given.getlist(name)
        for name in given
        if name.startswith("filterGroupBy[")
    }
    asked = QueryBody(
        from_=given.get("from"),
        to=given.get("to"),
        window_size=given.get("windowSize"),
        window_time_zone=given.get("windowTimeZone", "UTC"),
        subject=given.getlist("subject"),
        group_by=given.getlist("groupBy"),
        filter_group_by={name: list(values) for name, values in filters.items()},
    )
    return _answer(request, id_or_slug, asked)


def post_query(request: HttpRequest, id_or_slug: str) -> HttpResponse:
    """Query one meter by a body."""
    key_of(request, READ, timezone.now())
    try:
        asked = msgspec.json.decode(read_sent(request, QUERY_BYTES_MAX), type=QueryBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise QueryInvalid(f"invalid body: {broken}"[:300]) from broken
    return _answer(request, id_or_slug, asked)


def _answer(request: HttpRequest, id_or_slug: str, asked: QueryBody) -> HttpResponse:
    now = timezone.now()
    organization = key_of(request, READ, now).organization
    slug = _known(id_or_slug)
    query = _query(asked, now)
    rows = query_meter(organization=organization, slug=slug, query=query)
    if "text/csv" in request.headers.get("Accept", ""):
        return _csv(rows, query)
    return _json(
        {
            "from": query.from_at,
            "to": query.to_at,
            **({"windowSize": query.window} if query.window else {}),
            "data": [_row(row, query) for row in rows],
        }
    )


def _query(asked: QueryBody, now: datetime) -> MeterQuery:
    to_at = instant_in(asked.to, "to") or now
    from_at = instant_in(asked.from_, "from") or to_at - DEFAULT_SPAN
    if from_at >= to_at:
        raise QueryInvalid("from must be before to")
    if asked.window_size not in {None, "", "MINUTE", "HOUR", "DAY", "MONTH"}:
        raise QueryInvalid(f"windowSize: {str(asked.window_size)[:20]!r}; expected MINUTE, HOUR, DAY or MONTH")
    if asked.window_size == "MINUTE" and to_at - from_at > MINUTES_SPAN_MAX:
        raise QueryInvalid("windowSize MINUTE is answered for at most one day")
    try:
        ZoneInfo(asked.window_time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise QueryInvalid(f"windowTimeZone: {asked.window_time_zone[:60]!r} is no time zone") from unknown
    for name in {*asked.group_by, *asked.filter_group_by} - GROUPS.keys():
        raise QueryInvalid(f"groupBy: {name[:60]!r}; expected {', '.join(GROUPS)}")
    return MeterQuery(
        from_at=from_at,
        to_at=to_at,
        window=asked.window_size or None,  # type: ignore[arg-type]  # one of the four, checked above
        zone=asked.window_time_zone,
        group_by=tuple(asked.group_by),
        subjects=tuple(asked.subject),
        groups=_filters(asked.filter_group_by),
    )


def _filters(given: Mapping[str, list[str] | str]) -> dict[str, tuple[str, ...]]:
    return {name: (values,) if isinstance(values, str) else tuple(values) for name, values in given.items()}


def _row(row: MeterRow, query: MeterQuery) -> dict[str, Any]:
    groups = {name: row.groups[name] for name in query.group_by if name != "subject"}
    return {
        "value": row.value,
        "windowStart": row.from_at,
        "windowEnd": row.to_at,
        "subject": row.groups["subject"],
        "groupBy": groups,
    }


def _csv(rows: list[MeterRow], query: MeterQuery) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["window_start", "window_end", *query.group_by, "value"])
    for row in rows:
        # A text that a spreadsheet would compute is quoted.
        groups = [_plain(row.groups[name] or "") for name in query.group_by]
        writer.writerow([_iso(row.from_at), _iso(row.to_at), *groups, row.value])
    return HttpResponse(text.getvalue(), content_type="text/csv")


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _known(id_or_slug: str) -> str:
    slug = meter_slug(id_or_slug)
    if slug is None:
        raise MeterNotFound(f"There is no meter of this name; there are {', '.join(METERS)}.")
    return slug


def _meter(slug: str) -> dict[str, Any]:
    counted = {"aggregation": "COUNT"} if slug == "requests" else {"aggregation": "SUM", "valueProperty": f"$.{slug}"}
    return {
        "id": meter_id(slug),
        "slug": slug,
        "name": slug.replace("_", " "),
        "description": "as gateways reported it",
        "eventType": "tokens",
        **counted,
        "groupBy": {"model": "$.model", "deployment": "$.deployment"},
        "createdAt": SINCE,
        "updatedAt": SINCE,
    }


def _json(body: object) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")


meters = endpoint(problem, GET=list_meters)
meter = endpoint(problem, GET=get_meter)
query = endpoint(problem, GET=get_query, POST=post_query)
