"""The query parameters of reading usage: checked all at once, every wrong one named."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from metering.models import Quantity, Witness
from metering.queries import FILTER_FIELDS, Granularity, GroupBy
from tenants.listing.answers import LIMIT_DEFAULT, LIMIT_MAX, PAGE_PARAMETERS
from tenants.listing.cursors import Place, WrongCursor, read_cursor
from tenants.listing.paging import Page
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rest_framework.request import Request

TEXT_CHARS_MAX: Final = 200
WINDOW_MAX: Final[dict[Granularity, timedelta]] = {
    "hour": timedelta(days=31),
    "day": timedelta(days=400),
    "month": timedelta(days=3_660),
    "total": timedelta(days=3_660),
}


class WrongParameters(Problem):
    """Query parameters with wrong values; `errors` names each."""

    status = 400
    code = "invalid"
    title = "The request has wrong values"


class _Wrong(Exception):
    """One parameter's value; says what is expected."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What to read: half-open window, stretches of time, zone, groups, filters, page."""

    from_at: datetime
    to_at: datetime
    granularity: Granularity = "day"
    zone: str = "UTC"
    group_by: tuple[GroupBy, ...] = ("model",)
    filters: dict[str, str] = field(default_factory=dict)
    after: Place | None = None
    limit: int = LIMIT_DEFAULT

    @property
    def page(self) -> Page:
        """Which page."""
        return Page(self.limit, self.after)


def _parameter(name: str, description: str, *, required: bool = False, enum: Iterable[str] = ()) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description, required=required, enum=list(enum) or None)


_WINDOW = [
    OpenApiParameter("from", OpenApiTypes.DATETIME, required=True, description="start, RFC 3339 with offset"),
    OpenApiParameter("to", OpenApiTypes.DATETIME, required=True, description="end, not included"),
]
_PAGE = [
    *PAGE_PARAMETERS,
]
_FILTERS = [
    _parameter("model", "only this served model"),
    _parameter("deployment", "only this deployment (slug)"),
    _parameter("tenant", "only this tenant (slug)"),
    _parameter("class", "only this class", enum=Quantity.values),
]
USAGE_PARAMETERS: Final = [
    *_WINDOW,
    _parameter("granularity", "stretches of time; day if left out", enum=get_args(Granularity)),
    _parameter("tz", "IANA time zone of days and months; UTC if left out"),
    _parameter("group_by", f"any of {', '.join(get_args(GroupBy))}, joined by ','; always by witness and class"),
    *_FILTERS,
    _parameter("key", "only usage under this key of the tenant's own"),
    _parameter("project", "only usage of this project of the tenant's own (slug)"),
    _parameter("witness", "only this witness", enum=Witness.values),
    *_PAGE,
]
GAP_PARAMETERS: Final = [*_WINDOW, *_PAGE]
RESIDUAL_PARAMETERS: Final = [
    *_WINDOW,
    _parameter("granularity", "hour, or total if left out", enum=("hour", "total")),
    *_FILTERS,
    *_PAGE,
]


def read_usage_query(request: Request) -> UsageQuery:
    """Return what `GET usage` asks for. Raises WrongParameters."""
    return _Reader(request, USAGE_PARAMETERS).query("day", get_args(Granularity))


def read_gaps_query(request: Request) -> UsageQuery:
    """Return what `GET usage/gaps` asks for. Raises WrongParameters."""
    return _Reader(request, GAP_PARAMETERS).query("total", ())


def read_residuals_query(request: Request) -> UsageQuery:
    """Return what `GET usage/residuals` asks for. Raises WrongParameters."""
    return _Reader(request, RESIDUAL_PARAMETERS).query("total", ("hour", "total"))


def window_of(query: UsageQuery) -> dict[str, object]:
    """Return the window of a page, as its answer names it."""
    return {"from": query.from_at, "to": query.to_at}


class _Reader:
    """Reads parameters one by one and keeps what is wrong with each."""

    def __init__(self, request: Request, parameters: Iterable[OpenApiParameter]) -> None:
        self.given = request.query_params
        self.names = {one.name for one in parameters if one.location == OpenApiParameter.QUERY}
        self.errors: list[dict[str, str]] = []
        for name in self.given:
            if name not in self.names:
                self._wrong(name[:TEXT_CHARS_MAX], f"unknown; expected one of {', '.join(sorted(self.names))}")

    def query(self, default: Granularity, choices: tuple[Granularity, ...]) -> UsageQuery:
        """Read everything there is, then raise for all that is wrong at once."""
        granularity: Any = self._read("granularity", default, _one_of(choices))
        found: dict[str, Any] = {
            "from_at": self._read("from", None, _instant),
            "to_at": self._read("to", None, _instant),
            "granularity": granularity,
            "zone": self._read("tz", "UTC", _zone),
            "group_by": self._read("group_by", ("model",), _group_by),
            "filters": self._filters(),
            "after": self._read("cursor", "", _cursor) or None,
            "limit": self._read("limit", LIMIT_DEFAULT, _limit),
        }
        self._check_window(found["from_at"], found["to_at"], granularity or default)
        if self.errors:
            detail = "; ".join(f"{one['field']}: {one['detail']}" for one in self.errors)
            raise WrongParameters(detail, errors=self.errors)
        return UsageQuery(**found)

    def _read(self, name: str, default: object, parse: Callable[[str], object]) -> object:
        if name not in self.names or name not in self.given:
            if name in self.names and default is None:
                self._wrong(name, "must be given")
            return default
        try:
            return parse(self.given[name])
        except _Wrong as wrong:
            self._wrong(name, str(wrong))
            return None

    def _filters(self) -> dict[str, str]:
        checks = {"class": _one_of(Quantity.values), "witness": _one_of(Witness.values)}
        found = {}
        for name in FILTER_FIELDS:
            if name in self.names and name in self.given:
                found[name] = str(self._read(name, "", checks.get(name, _text)))
        return found

    def _check_window(self, from_at: datetime | None, to_at: datetime | None, granularity: Granularity) -> None:
        if from_at is None or to_at is None:
            return
        if to_at <= from_at:
            self._wrong("to", "must be after from")
        elif to_at - from_at > WINDOW_MAX[granularity]:
            self._wrong("to", f"at most {WINDOW_MAX[granularity].days} days after from by {granularity}")

    def _wrong(self, name: str, detail: str) -> None:
        self.errors.append({"field": name, "code": "invalid", "detail": detail})


def _instant(text: str) -> datetime:
    try:
        # A '+' of an offset that was not percent-encoded arrives as a blank.
        at = datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _Wrong("expected an RFC 3339 instant with its offset, such as 2026-03-01T00:00:00Z")


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise _Wrong("expected an IANA time zone, such as Europe/Berlin") from unknown
    return text


def _one_of(choices: Iterable[str]) -> Callable[[str], str]:
    allowed = tuple(choices)

    def check(text: str) -> str:
        if text not in allowed:
            raise _Wrong(f"expected one of {', '.join(allowed)}")
        return text

    return check


def _group_by(text: str) -> tuple[str, ...]:
    # Witness and class are always grouped by: adding them up would mean nothing.
    names = tuple(dict.fromkeys(name for name in text.split(",") if name not in ("", "class", "witness")))
    allowed = get_args(GroupBy)
    if not set(names) <= set(allowed):
        raise _Wrong(f"expected any of {', '.join(allowed)}, joined by ','")
    return names


def _text(text: str) -> str:
    if not text or len(text) > TEXT_CHARS_MAX or "\0" in text:
        raise _Wrong(f"expected 1 to {TEXT_CHARS_MAX} characters")
    return text


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LIMIT_MAX)) and 1 <= int(text) <= LIMIT_MAX):
        raise _Wrong(f"expected a number from 1 to {LIMIT_MAX}")
    return int(text)


def _cursor(text: str) -> Place:
    try:
        return read_cursor(text)
    except WrongCursor as broken:
        raise _Wrong("expected next_cursor of an answer of this list") from broken
