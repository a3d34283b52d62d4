"""How a node was watched, in words and drawn: its last hours, its silences, its clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from metering.clock import CLOCK_SKEW_MS_MAX, ClockState
from metering.control_models import SilenceEnd
from metering.hours import instant_of
from metering.node_hours import SilenceRow
from metering.pages.durations import lasted
from portal.charts.marks import element, percent, words
from portal.figures import moment, number, share
from portal.parts import Pill
from portal.punctuation import between

WHOLE: Final = 1000
MS_PER_S: Final = 1000
HEIGHT_PX: Final = 18
FILLED: Final = Decimal("0.82")


def coverage_strip(hours: Sequence[datetime], shares: Sequence[int | None]) -> SafeString:
    """Draw the hours in order, one cell each; `shares` are thousandths, None where nothing was expected."""
    width = Decimal(1) / len(hours)
    filled = percent(width * FILLED)
    cells = []
    for place, (hour, known) in enumerate(zip(hours, shares, strict=True)):
        said = _("not expected") if known is None else _share(known)
        x = percent(place * width)
        inside = element("title", words(f"{hour:%H}:00 UTC{between('colon')}{said}"))
        if known is None:
            cells.append(element("rect", inside, class_="none", x=x, width=filled, y=HEIGHT_PX - 3, height=2))
            continue
        height = max(2, HEIGHT_PX * known // WHOLE)
        tone = "s-whole" if known == WHOLE else "s-part" if known else "s-miss"
        y = HEIGHT_PX - (HEIGHT_PX if known == 0 else height)
        tall = HEIGHT_PX if known == 0 else height
        cells.append(element("rect", inside, class_=tone, x=x, width=filled, y=y, height=tall, rx=1))
    label = coverage_words(shares)[0]
    return SafeString(
        element("svg", "".join(cells), class_="strip cover", role="img", height=HEIGHT_PX, aria_label=label)
    )


def coverage_words(shares: Sequence[int | None]) -> tuple[str, Pill]:
    """Return the hours in words, and their state as a pill."""
    expected = [one for one in shares if one is not None]
    if not expected:
        return _("nothing expected yet"), Pill(_("new"), "info", small=True)
    whole = sum(one == WHOLE for one in expected)
    text = ngettext("%(whole)s of %(count)s hour", "%(whole)s of %(count)s hours", len(expected)) % {
        "whole": whole,
        "count": len(expected),
    }
    if whole == len(expected):
        return text, Pill(_("complete"), "good", small=True)
    return text, Pill(_("incomplete"), "warn", small=True)


@dataclass(frozen=True, slots=True)
class SilenceLine:
    """A silence in words."""

    node: str
    from_at: str
    to_at: str
    lasted: str
    pill: Pill
    text: str


def silence_line(one: SilenceRow, now: datetime, locale: str) -> SilenceLine:
    """Return a silence in words."""
    ended = one.to_at or now
    if one.to_at is None:
        pill, text = Pill(_("silent"), "bad", small=True), _("Not heard since. What it meters is kept on the node.")
    elif one.end == SilenceEnd.FILLED:
        pill, text = Pill(_("filled"), "good", small=True), _("It kept on reading and sent everything later.")
    else:
        pill, text = (
            Pill(_("gap"), "warn", small=True),
            _("It did not read in between. Registers carry their rise over."),
        )
    return SilenceLine(
        node=one.node,
        from_at=moment(one.from_at, UTC, locale=locale, year=False),
        to_at=moment(one.to_at, UTC, locale=locale, year=False) if one.to_at else "",
        lasted=lasted(ended - one.from_at),
        pill=pill,
        text=text,
    )


def clock_facts(clock: ClockState | None, locale: str) -> Iterator[tuple[str, str]]:
    """Yield what is known of a node's clock, as name and words."""
    if clock is None or clock.skew_ms is None:
        yield _("Clock"), _("not measured yet")
        return
    yield (
        _("Clock"),
        _("%(seconds)s s off, measured over %(count)s batches")
        % {"seconds": _seconds(clock.skew_ms), "count": clock.measured},
    )
    if clock.correction_ms:
        yield _("Corrected"), _("readings are moved by %(seconds)s s") % {"seconds": _seconds(clock.correction_ms)}
    elif abs(clock.skew_ms) > CLOCK_SKEW_MS_MAX:
        yield _("Corrected"), _("no: too far off, its readings are held")
    if clock.stepped_at_ms is not None:
        at = moment(instant_of(clock.stepped_at_ms), UTC, locale=locale, year=False)
        yield (
            pgettext("clock", "Last step"),
            _("%(seconds)s s at %(at)s") % {"seconds": _seconds(clock.stepped_ms), "at": at},
        )


def _share(known: int) -> str:
    # To the tenth where it is no full per cent: 99.9 % must not read as the whole, nor 0.1 % as nothing.
    return share(Decimal(known) / WHOLE, digits=1 if known % 10 else 0)


def _seconds(ms: int) -> str:
    return number(Decimal(ms) / MS_PER_S, digits=1)
