"""Who holds what, when: blocks over lanes of time, with day or hour rules, weekends and a line for now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from django.utils.safestring import SafeString

from portal.charts.marks import Fact, Tone, element, linked, percent, pixels, words
from portal.figures import day

BlockState = Literal["running", "reserved", "ended", "maintenance"]

LANE_PX = 30
THIN_LANE_PX = 20
INSET_PX = 3
PLOT_MIN_PX = 812
"""The narrowest the plot is ever drawn (see ``.tlg`` in the style sheet); words that would not fit it are
left out.
"""

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
HOUR_STEPS = (1, 2, 3, 6)
RULES_MAX = 16
WEEKDAY_NAMES_DAYS_MAX = 16


class EmptyWindowError(ValueError):
    """A window that ends when it begins, or before."""


class UnknownLaneError(ValueError):
    """A block lies on lanes that its node does not have."""


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open stretch of time in view, the zone it is read in, and the present instant.

    All three instants are timezone-aware. Days begin at midnight of ``zone``, so a day of 23 or 25 hours is
    drawn as long as it is.
    """

    from_at: datetime
    to_at: datetime
    now: datetime
    zone: tzinfo

    def __post_init__(self) -> None:
        if self.from_at >= self.to_at:
            raise EmptyWindowError(f"{self.from_at} to {self.to_at}")

    def share(self, at: datetime) -> Decimal:
        """Where an instant lies, 0…1 of the width; instants outside the window lie on its edge."""
        inside = min(max(at, self.from_at), self.to_at)
        span = self.to_at - self.from_at
        return Decimal((inside - self.from_at) // MICROSECOND) / (span // MICROSECOND)


@dataclass(frozen=True, slots=True)
class Lane:
    """One row: a whole accelerator, or ``thin`` for one slice of it (MIG or a share).

    ``used`` is its utilisation 0…1, ``None`` where it is not measured; ``fault`` is a word that replaces it.
    """

    label: str
    thin: bool = False
    used: Decimal | None = None
    fault: str = ""

    @property
    def height_px(self) -> int:
        """The height of the row."""
        return THIN_LANE_PX if self.thin else LANE_PX


@dataclass(frozen=True, slots=True)
class Block:
    """A holding of lanes ``first_lane``…``last_lane`` (both included, counted from 0) over ``[from_at,
    to_at)``.

    ``to_at`` is ``None`` while no end is set. ``title`` and ``reference`` stand in the block, ``detail`` on
    its second line where it spans several lanes; ``facts`` are the tooltip.
    """

    first_lane: int
    last_lane: int
    from_at: datetime
    to_at: datetime | None
    state: BlockState
    title: str
    reference: str = ""
    detail: str = ""
    tone: Tone = "m5"
    url: str = ""
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One division of the ruler: a day, or some hours."""

    from_at: datetime
    to_at: datetime
    strong: str
    weak: str
    weekend: bool
    current: bool


def merge_adjacent(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Joins blocks that are the same holding on neighbouring lanes, so that an eight-GPU lease is read
    once.

    Blocks are the same holding when everything but their lanes is equal. The order is by first lane, then
    by start.
    """
    merged: list[Block] = []
    latest: dict[Block, int] = {}
    for block in sorted(blocks, key=lambda item: (item.first_lane, item.from_at)):
        identity = replace(block, first_lane=0, last_lane=0)
        place = latest.get(identity)
        if place is not None and merged[place].last_lane + 1 >= block.first_lane:
            last = max(merged[place].last_lane, block.last_lane)
            merged[place] = replace(merged[place], last_lane=last)
        else:
            latest[identity] = len(merged)
            merged.append(block)
    return tuple(merged)


def _midnights(window: Window) -> list[datetime]:
    """The window's edges and each midnight of its zone between them, as instants."""
    edges = [window.from_at]
    local = window.from_at.astimezone(window.zone)
    date = local.date() + timedelta(days=1)
    while True:
        at = datetime(date.year, date.month, date.day, tzinfo=window.zone).astimezone(window.from_at.tzinfo)
        if at >= window.to_at:
            return [*edges, window.to_at]
        edges.append(at)
        date += timedelta(days=1)


def _hours(window: Window) -> list[datetime]:
    """The window's edges and the full hours between them, at a step that leaves at most 16 divisions."""
    span_h = (window.to_at - window.from_at) / HOUR
    step_h = next((step for step in HOUR_STEPS if span_h / step <= RULES_MAX), HOUR_STEPS[-1])
    local = window.from_at.astimezone(window.zone)
    at = window.from_at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    edges = [window.from_at]
    while at < window.to_at:
        if at > window.from_at and at.astimezone(window.zone).hour % step_h == 0:
            edges.append(at)
        at += HOUR
    return [*edges, window.to_at]


def rules(window: Window, *, locale: str) -> tuple[Rule, ...]:
    """Hours up to two days in view, days beyond; a day is named by its weekday while there is room for it."""
    hourly = window.to_at - window.from_at <= 48 * HOUR
    edges = _hours(window) if hourly else _midnights(window)
    made = []
    for from_at, to_at in pairwise(edges):
        local = from_at.astimezone(window.zone)
        if hourly:
            # Midnight says which day begins; the hours around it say the rest.
            strong = day(local.date(), "EEEd", locale) if local.hour == 0 else f"{local:%H:%M}"
            weak = ""
        else:
            named = len(edges) - 1 <= WEEKDAY_NAMES_DAYS_MAX
            strong = str(local.day)
            weak = day(local.date(), "EEE", locale) if named else ""
        current = from_at <= window.now < to_at
        made.append(Rule(from_at, to_at, strong, weak, weekend=local.weekday() >= 5, current=current))
    return tuple(made)


def draw_ruler(window: Window, *, locale: str) -> SafeString:
    """The head of a timeline: one division per day or hour, the present one marked."""
    drawn = []
    for rule in rules(window, locale=locale):
        x, width = window.share(rule.from_at), window.share(rule.to_at) - window.share(rule.from_at)
        if rule.weekend:
            drawn.append(element("rect", class_="we", x=percent(x), width=percent(width), y="0", height="34"))
        drawn.append(element("line", class_="vgrid", x1=percent(x), x2=percent(x), y1="0", y2="34"))
        if width * PLOT_MIN_PX < 18:
            continue
        text = element("tspan", words(rule.strong), class_="th")
        if rule.weak and width * PLOT_MIN_PX > text_px(rule.strong) + text_px(rule.weak) + 15:
            text += element("tspan", words(rule.weak), dx="5")
        label = element("text", text, class_="tn" if rule.current else None, x="8", y="22")
        drawn.append(element("svg", label, class_="clip", x=percent(x), width=percent(width), height="34"))
    return SafeString(element("svg", "".join(drawn), class_="tl ruler", height="34", aria_hidden="true"))


def text_px(text: str) -> Decimal:
    """About how wide 12 px text is: a Chinese character takes about 12 pixels, a Latin one 6.7."""
    return sum((Decimal(12) if ord(letter) > 0x2E80 else Decimal("6.7") for letter in text), Decimal(0))


def _block_words(block: Block, *, room_px: Decimal, height_px: int) -> str:
    """The words that fit: title always (clipped by the block), then the reference, then the second line."""
    several = height_px >= 2 * THIN_LANE_PX and bool(block.detail)
    baseline = 20 if several else Decimal(height_px) / 2 + 4
    title = words(block.title)
    if block.reference and room_px > text_px(block.title) + text_px(block.reference) + 10:
        title += element("tspan", words(block.reference), class_="lr", dx="7")
    text = element("text", title, class_="lt", x="9", y=pixels(Decimal(baseline)))
    if several and room_px > text_px(block.detail):
        text += element("text", words(block.detail), class_="lr", x="9", y="38")
    return text


def _block(block: Block, window: Window, tops: Sequence[int]) -> str:
    starts_before = block.from_at < window.from_at
    ends_after = block.to_at is None or block.to_at > window.to_at
    left = window.share(block.from_at)
    right = Decimal(1) if block.to_at is None else window.share(block.to_at)
    top, height = tops[block.first_lane], tops[block.last_lane + 1] - tops[block.first_lane]
    # A cut edge is drawn outside the view: a square end says that the holding goes on.
    drawn_left = left - Decimal("0.03") if starts_before else left + Decimal("0.0006")
    drawn_right = right + Decimal("0.03") if ends_after else right - Decimal("0.0006")
    body = element(
        "rect",
        class_="lb",
        x=percent(drawn_left),
        width=percent(max(drawn_right - drawn_left, Decimal("0.002"))),
        y=top + INSET_PX,
        height=height - 2 * INSET_PX,
        rx="5",
    )
    room_px = (right - left) * PLOT_MIN_PX - 18
    inside = _block_words(block, room_px=room_px, height_px=height)
    clip_width = percent(max(right - left - Decimal("0.007"), Decimal("0.001")))
    clipped = element("svg", inside, class_="clip", x=percent(left), width=clip_width, y=top, height=height)
    title = f"{block.title} {block.reference}".strip()
    return linked(
        body + clipped,
        title=title,
        facts=block.facts,
        url=block.url,
        class_=f"lease {block.state} {block.tone}",
    )


@lru_cache(maxsize=32)
def _backdrop(window: Window, tops: tuple[int, ...], *, locale: str) -> str:
    """What lies behind the blocks: on one page nodes of as many lanes have the same."""
    height, drawn = tops[-1], []
    for index, rule in enumerate(rules(window, locale=locale)):
        x, width = window.share(rule.from_at), window.share(rule.to_at) - window.share(rule.from_at)
        if rule.weekend:
            drawn.append(element("rect", class_="we", x=percent(x), width=percent(width), y="0", height=height))
        if index:
            drawn.append(element("line", class_="vgrid", x1=percent(x), x2=percent(x), y1="0", y2=height))
    for top in tops[1:-1]:
        y = f"{top - Decimal('0.5')}"
        drawn.append(element("line", class_="hgrid", x1="0", x2="100%", y1=y, y2=y))
    return "".join(drawn)


def draw_blocks(lanes: Sequence[Lane], blocks: Sequence[Block], *, window: Window, locale: str) -> SafeString:
    """The lanes of one node with their blocks; a block over several lanes is drawn once, over all of them.

    Blocks wholly outside the window are left out. The line for now is drawn only when now is in view.
    """
    tops = [0]
    for lane in lanes:
        tops.append(tops[-1] + lane.height_px)
    drawn = [_backdrop(window, tuple(tops), locale=locale)]
    for block in blocks:
        if not 0 <= block.first_lane <= block.last_lane < len(lanes):
            raise UnknownLaneError(f"{block.title}: {block.first_lane} to {block.last_lane} of {len(lanes)}")
        if block.from_at < window.to_at and (block.to_at is None or block.to_at > window.from_at):
            drawn.append(_block(block, window, tops))
    if window.from_at <= window.now < window.to_at:
        x = percent(window.share(window.now))
        drawn.append(element("line", class_="now", x1=x, x2=x, y1="0", y2=tops[-1]))
    return SafeString(element("svg", "".join(drawn), class_="tl", height=tops[-1], aria_hidden="true"))
