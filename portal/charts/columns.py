"""Stacked columns over time, each a link with a tooltip."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from django.utils.safestring import SafeString

from portal.charts.marks import Column, Number, Series, element, frame, linked, percent, pixels
from portal.charts.scale import Scale, round_ticks, x_labels

COLUMN_SHARE = Decimal("0.66")
GAP_PX = Decimal("1.5")
HAIR_PX = Decimal("0.6")
CAP_PX = Decimal(5)
SLOTS_MIN = 7


def _extent(columns: Sequence[Column], series: Sequence[Series]) -> tuple[Decimal, Decimal, bool]:
    """The lowest and highest stack, and whether every value is a count."""
    low = high = Decimal(0)
    whole = True
    for column in columns:
        values = [column.values[layer.key] for layer in series if layer.key in column.values]
        high = max(high, Decimal(sum(value for value in values if value > 0)))
        low = min(low, Decimal(sum(value for value in values if value < 0)))
        whole = whole and all(isinstance(value, int) for value in values)
    return low, high, whole


def _layer(tone: str, *, x: str, width: str, y: Decimal, height: Decimal, capped: bool) -> str:
    """One rectangle; the outermost has a rounded cap, squared off again where it meets the layer below."""
    shape = element(
        "rect",
        class_=tone,
        x=x,
        width=width,
        y=pixels(y),
        height=pixels(height),
        rx="2.5" if capped else None,
    )
    if capped:
        shape += element("rect", class_=tone, x=x, width=width, y=pixels(y + height - 3), height="3")
    return shape


def _stack(column: Column, series: Sequence[Series], scale: Scale, *, x: str, width: str) -> str:
    """Positive layers upwards from zero, negative ones (credits) downwards."""
    present: list[tuple[str, Number]] = [
        (layer.tone, column.values[layer.key]) for layer in series if column.values.get(layer.key, 0)
    ]
    drawn = []
    zero, up, down = scale.y(Decimal(0)), Decimal(0), Decimal(0)
    above = [entry for entry in present if entry[1] > 0]
    for index, (tone, value) in enumerate(above):
        bottom, top = scale.y(up), scale.y(up + value)
        up += value
        height = max(bottom - top - (GAP_PX if bottom != zero else 0), HAIR_PX)
        capped = index == len(above) - 1 and height > CAP_PX and column.state != "estimated"
        drawn.append(_layer(tone, x=x, width=width, y=top, height=height, capped=capped))
    for tone, value in present:
        if value < 0:
            top, bottom = scale.y(down), scale.y(down + value)
            down += value
            height = max(bottom - top - GAP_PX, HAIR_PX)
            drawn.append(_layer(tone, x=x, width=width, y=top + GAP_PX, height=height, capped=False))
    return "".join(drawn)


def _column(column: Column, series: Sequence[Series], scale: Scale, *, index: int, slots: int) -> str:
    slot = Decimal(1) / slots
    x, width = percent(slot * (index + (1 - COLUMN_SHARE) / 2)), percent(slot * COLUMN_SHARE)
    base_y = scale.y(Decimal(0))
    if column.state == "ahead":
        return element("rect", class_="slot-empty", x=x, width=width, y=pixels(base_y - 3), height="3", rx="1.5")
    if column.state == "gap":
        inside = element("rect", class_="slot-gap", x=x, width=width, y=pixels(base_y - 40), height="40", rx="2.5")
    else:
        inside = _stack(column, series, scale, x=x, width=width)
    hit = element("rect", class_="hit", x=percent(slot * index), width=percent(slot), y="0", height=scale.height_px)
    return linked(hit + inside, title=column.title, facts=column.facts, url=column.url, class_=f"col {column.state}")


def stacked_columns(
    columns: Sequence[Column],
    series: Sequence[Series],
    *,
    label: str,
    form: Callable[[Decimal], str],
    height_px: int = 216,
) -> SafeString:
    """Columns in time order, their series stacked in the given order from the base line upwards.

    ``label`` says what the chart shows, for readers who cannot see it; ``form`` writes a tick of the y axis
    (see ``figures.axis``). No columns draw an empty frame: say why in words beside it. Fewer than seven
    columns keep the width they would have among seven, so that one day is a column and not a wall.
    """
    slots = max(len(columns), SLOTS_MIN)
    low, high, whole = _extent(columns, series)
    scale = Scale(ticks=round_ticks(low, high, whole=whole), height_px=height_px)
    body = "".join(_column(column, series, scale, index=index, slots=slots) for index, column in enumerate(columns))
    plot = scale.grid() + body + x_labels(columns, slots=slots, height_px=height_px)
    return frame(scale.axis(form), plot, label=label, height_px=height_px)
