"""A horizontal bar of parts with an optional limit mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from portal.charts.marks import Number, Tone, element, percent

GAP_SHARE = Decimal("0.004")
HAIR_SHARE = Decimal("0.002")
MARK_SHARE = Decimal("0.016")
TALL_PX = 6


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: its value in the unit of the bar's ``whole``."""

    tone: Tone
    value: Number


def _clamped(share: Decimal) -> Decimal:
    return max(Decimal(0), min(Decimal(1), share))


def _parts(parts: Sequence[Part], whole: Number, *, y: int, height_px: int) -> str:
    at, drawn = Decimal(0), []
    for part in parts:
        share = _clamped(Decimal(part.value) / whole) if whole > 0 else Decimal(0)
        share = min(share, 1 - at)
        if share > 0:
            width = percent(max(share - GAP_SHARE, HAIR_SHARE))
            drawn.append(element("rect", class_=part.tone, x=percent(at), width=width, y=y, height=height_px))
        at += share
    return "".join(drawn)


def _mark(mark: Number, whole: Number, *, tone: Tone, tall: bool, height_px: int) -> str:
    share = _clamped(Decimal(mark) / whole)
    if tall:
        return element("line", class_=f"mk {tone}", x1=percent(share), x2=percent(share), y1="0", y2=height_px)
    x = percent(max(Decimal(0), min(share, 1 - MARK_SHARE / 2) - MARK_SHARE / 2))
    return element("rect", class_=f"mk {tone}", x=x, width=percent(MARK_SHARE), y="0", height=height_px)


def bar(
    parts: Sequence[Part],
    *,
    whole: Number,
    mark: Number | None = None,
    mark_tone: Tone = "bad",
    tall_mark: bool = False,
    label: str = "",
    height_px: int = 6,
) -> SafeString:
    """The parts side by side against ``whole``, the value of the full width; what overflows is cut off at
    the end.

    ``mark`` draws a tick at a value, such as a budget; ``tall_mark`` lets it stand out above and below the
    bar, for a price against stacked costs. With ``label`` the bar is an image with that name, without it is
    hidden from assistive technology because its figures stand beside it. A whole of zero is an empty track.
    """
    y = TALL_PX if tall_mark else 0
    drawn_px = height_px + 2 * y
    track = element("rect", class_="track", width="100%", y=y, height=height_px)
    inside = element("g", track + _parts(parts, whole, y=y, height_px=height_px), class_="bar-in")
    if mark is not None and whole > 0:
        inside += _mark(mark, whole, tone=mark_tone, tall=tall_mark, height_px=drawn_px)
    described = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    classes = "bar tall" if tall_mark else "bar"
    return SafeString(element("svg", inside, class_=classes, height=drawn_px, **described))
