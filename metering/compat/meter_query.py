"""OpenMeter's meters over our usage: one per class of tokens and one of requests, as gateways reported them.

Hours, days and months are read from usage hours, minutes from the events themselves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from clusters.models import Deployment
from metering.compat.models import SubjectAlias
from metering.event_calls import minutes_of
from metering.models import Witness
from metering.queries import usage_in, usage_totals
from tenants.models import Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized
    from uuid import UUID

    from metering.queries import GroupBy

METERS: Final = {
    "input_tokens": "input",
    "cached_input_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "output_tokens": "output",
    "reasoning_tokens": "reasoning",
    "requests": "requests",
}
"""`{slug: class of tokens}`. Cached input is a part of input and reasoning a part of output: never add them."""

GROUPS: Final[Mapping[str, GroupBy]] = {"subject": "tenant", "model": "model", "deployment": "deployment"}
WindowSize = Literal["MINUTE", "HOUR", "DAY", "MONTH"]
GRANULARITIES: Final[Mapping[str, Literal["hour", "day", "month"]]] = {"HOUR": "hour", "DAY": "day", "MONTH": "month"}
MINUTES_SPAN_MAX: Final = timedelta(days=1)
ROWS_MAX: Final = 100_000
_BASE32: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class TooManyRows(Problem):
    """A query sums more windows and groups than are answered at once."""

    status = 400
    code = "too_many_rows"
    title = "The query asks for too much"


@dataclass(frozen=True, slots=True)
class MeterQuery:
    """What is asked for: `[from_at, to_at)`, the window or None for one sum, and how it is cut and chosen."""

    from_at: datetime
    to_at: datetime
    window: WindowSize | None = None
    zone: str = "UTC"
    group_by: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One sum of one window and group."""

    value: int
    from_at: datetime
    to_at: datetime
    groups: dict[str, str | None]


def meter_id(slug: str) -> str:
    """Return the meter's id in the form of a ULID: the same in every installation."""
    number = int.from_bytes(hashlib.sha256(f"forecourt meter {slug}".encode()).digest()[:16], "big")
    return "".join(_BASE32[number >> shift & 31] for shift in range(125, -1, -5))


def meter_slug(id_or_slug: str) -> str | None:
    """Return which meter is named, None if there is none."""
    return next((slug for slug in METERS if id_or_slug in {slug, meter_id(slug)}), None)


def query_meter(*, organization: Organization, slug: str, query: MeterQuery) -> list[MeterRow]:
    """Return the sums of one meter that the organization may see, in order of time and group. Raises TooManyRows."""
    wanted = [*GROUPS]
    rows = _minutes(organization, slug, query) if query.window == "MINUTE" else _hours(organization, slug, query)
    subjects = _tenants_of(organization, query.subjects)
    sums: dict[tuple[datetime, datetime, tuple[str | None, ...]], int] = {}
    for row in rows:
        if subjects and row.groups["subject"] not in subjects:
            continue
        if any(row.groups.get(name) not in allowed for name, allowed in query.groups.items()):
            continue
        key = (row.from_at, row.to_at, tuple(row.groups[name] if name in query.group_by else None for name in wanted))
        sums[key] = sums.get(key, 0) + row.value
    return [
        MeterRow(value, from_at, to_at, dict(zip(wanted, groups, strict=True)))
        for (from_at, to_at, groups), value in sorted(sums.items(), key=lambda pair: (pair[0][0], str(pair[0][2])))
    ]


def _tenants_of(organization: Organization, subjects: Sequence[str]) -> set[str]:
    aliases = SubjectAlias.objects.filter(reporter=organization, subject__in=subjects)
    named = dict(aliases.values_list("subject", "tenant__slug"))
    return {named.get(subject, subject) for subject in subjects}


def _hours(organization: Organization, slug: str, query: MeterQuery) -> list[MeterRow]:
    usage = usage_in(
        organization=organization,
        from_at=query.from_at,
        to_at=query.to_at,
        filters={"witness": Witness.GATEWAY, "class": METERS[slug]},
    )
    totals = usage_totals(
        usage=usage,
        granularity=GRANULARITIES[query.window] if query.window else "total",
        zone=query.zone,
        group_by=tuple(GROUPS.values()),
        limit=ROWS_MAX + 1,
    )
    _require_all(totals)
    names: dict[str, str] = {ours: theirs for theirs, ours in GROUPS.items()}
    rows = []
    for one in totals:
        from_at = one.at or query.from_at
        to_at = _window_end(from_at, query) if one.at else query.to_at
        groups = {names[name]: value for name, value in one.groups}
        rows.append(MeterRow(one.value, from_at.astimezone(UTC), to_at.astimezone(UTC), groups))
    return rows


def _require_all(rows: Sized) -> None:
    """A sum over some of the rows would be a wrong one. Raises TooManyRows."""
    if len(rows) > ROWS_MAX:
        raise TooManyRows(f"More than {ROWS_MAX} sums; ask for a shorter time or a longer window.")


def _window_end(from_at: datetime, query: MeterQuery) -> datetime:
    if query.window == "HOUR":
        return from_at + timedelta(hours=1)
    local = from_at.astimezone(ZoneInfo(query.zone))
    if query.window == "DAY":
        return local + timedelta(days=1)
    return (local.replace(day=1) + timedelta(days=32)).replace(day=1)


def _minutes(organization: Organization, slug: str, query: MeterQuery) -> list[MeterRow]:
    found = minutes_of(organization.id, query.from_at, query.to_at)
    _require_all(found)
    tenants = _slugs(Organization, {tenant for _, tenant, *_ in found})
    deployments = _slugs(Deployment, {deployment for *_, deployment in found})
    rows = []
    for (at, tenant, model, deployment), numbers in sorted(found.items(), key=lambda each: each[0][0]):
        groups = {"subject": tenants[tenant], "model": model, "deployment": deployments.get(deployment)}
        rows.append(MeterRow(numbers[METERS[slug]], at, at + timedelta(minutes=1), groups))
    return rows


def _slugs(of: type[Organization] | type[Deployment], ids: set[UUID | None]) -> dict[UUID | None, str]:
    return dict(of.objects.filter(id__in=ids - {None}).values_list("id", "slug"))
