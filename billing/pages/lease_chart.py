"""The calendar of leases: a lane for each lease, under its contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.pages.occupancy_chart import gpus_words, state_words
from billing.queries.lease_list import LeaseRow
from clusters.part_names import WHOLE, Part, names_of
from metering.pages.node_lines import short_model
from portal.charts import Block, Fact, Lane, Node, Tone, Window
from portal.figures import DASH, moment, unit_price
from portal.parts import Choice

DAYS_OFFERED = (14, 28, 84)
DAYS_BEHIND = 3
TONES: tuple[Tone, ...] = ("m0", "m1", "m2", "m3", "m4")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 1, 1)


@dataclass(frozen=True, slots=True)
class Days:
    """The days that a calendar shows: `count` from `first`, in UTC."""

    first: date
    count: int
    today: date

    @property
    def from_at(self) -> datetime:
        """When the first day begins."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def to_at(self) -> datetime:
        """When the last day ends."""
        return self.from_at + timedelta(days=self.count)

    def hold(self, from_at: datetime, to_at: datetime | None) -> bool:
        """Whether a span, without an end where `to_at` is None, shares an instant with these days."""
        return from_at < self.to_at and (to_at is None or to_at > self.from_at)

    def query(self, view: str, *, move: int = 0, count: int = 0) -> dict[str, str]:
        """Return how an address asks for these days, moved by some."""
        first = self.first + timedelta(days=move)
        wanted = {
            "view": view,
            "from": "" if first == self.today - timedelta(days=DAYS_BEHIND) else first.isoformat(),
            "days": "" if (count or self.count) == DAYS_OFFERED[0] else str(count or self.count),
        }
        return {name: value for name, value in wanted.items() if value}

    def address(self, path: str, *, move: int = 0, count: int = 0, view: str = "") -> str:
        """Return where these days, moved by some, are."""
        query = urlencode(self.query(view, move=move, count=count))
        return f"{path}?{query}" if query else path


def read_days(first: str, count: str, now: datetime) -> Days:
    """Return the days asked for; what cannot be read is today's calendar."""
    today = now.astimezone(UTC).date()
    begin = today - timedelta(days=DAYS_BEHIND)
    try:
        asked = date.fromisoformat(first) if first else begin
        days = int(count) if count else DAYS_OFFERED[0]
    except ValueError:
        asked, days = begin, DAYS_OFFERED[0]
    if days not in DAYS_OFFERED or not FIRST_DAY <= asked <= LAST_DAY:
        asked, days = begin, DAYS_OFFERED[0]
    return Days(asked, days, today)


def day_choices(path: str, days: Days) -> list[Choice]:
    """Return how many days can be shown."""
    return [
        Choice(
            ngettext("%(count)s week", "%(count)s weeks", count // 7) % {"count": count // 7},
            days.address(path, count=count),
            current=count == days.count,
        )
        for count in DAYS_OFFERED
    ]


def calendar(rows: Sequence[LeaseRow], area: str, locale: str) -> list[Node]:
    """Return a node of the chart for each contract, with a lane for each of its leases."""
    by_contract: dict[str, list[LeaseRow]] = {}
    for row in rows:
        by_contract.setdefault(row.contract, []).append(row)
    nodes = []
    for place, (contract, leases) in enumerate(sorted(by_contract.items())):
        ordered = sorted(leases, key=lambda row: (row.from_at, row.ref))
        other = ordered[0].provider if area == "tenant" else ordered[0].tenant
        nodes.append(
            Node(
                name=contract,
                lanes=tuple(Lane(holds_words(row)) for row in ordered),
                blocks=tuple(
                    _block(lane, row, TONES[place % len(TONES)], area, locale) for lane, row in enumerate(ordered)
                ),
                facts=(other,),
                state="good" if any(row.state == "running" for row in ordered) else "unknown",
                state_text=_("running") if any(row.state == "running" for row in ordered) else _("nothing runs"),
            )
        )
    return nodes


def lease_url(area: str, ref: str) -> str:
    """Return where a lease's page is for the side that reads it."""
    return reverse(f"{area}-lease", args=[ref])


def price_words(row: LeaseRow, locale: str) -> str:
    """Return the agreed rate, or whose rate counts."""
    if row.price_per_gpu_hour is None:
        return _("book price")
    return f"{unit_price(row.price_per_gpu_hour, row.currency, locale=locale)}/h"


def holds_words(row: LeaseRow) -> str:
    """Return what a lease holds: 4 × H100, 2 × ¼ × H100."""
    return names_of(short_model(row.accelerator_model), row.parts) or f"0 × {short_model(row.accelerator_model)}"


def running_words(row: LeaseRow) -> str:
    """Return a lease's state; of one on demand, whose cards come and go, also that it holds none now."""
    return _("running, nothing held now") if row.state == "running" and not row.parts else state_words(row.state)


def held_words(model: str, parts: Sequence[Part]) -> str:
    """Return the card model that is held, with which parts of it where they are no whole cards."""
    return model if {part.kind for part in parts} <= {WHOLE} else names_of(model, parts)


def span_words(row: LeaseRow, locale: str) -> str:
    """Return a lease's time in UTC."""
    end = moment(row.to_at, UTC, locale=locale) if row.to_at else _("no end set")
    return f"{moment(row.from_at, UTC, locale=locale)} {DASH} {end}"


def _block(lane: int, row: LeaseRow, tone: Tone, area: str, locale: str) -> Block:
    facts = (
        Fact(_("Holds"), gpus_words(row.share_permille)),
        Fact(_("Rate"), price_words(row, locale)),
        Fact(_("Time"), span_words(row, locale)),
        Fact(_("State"), running_words(row)),
    )
    return Block(
        first_lane=lane,
        last_lane=lane,
        from_at=row.from_at,
        to_at=row.to_at,
        state=row.state,
        title=row.ref,
        reference=running_words(row),
        tone=tone,
        url=lease_url(area, row.ref),
        facts=facts,
    )


def chart_window(days: Days, now: datetime) -> Window:
    """Return the days as the chart takes them."""
    return Window(days.from_at, days.to_at, now, UTC)
