"""Lines over time with a limit, and the small line beside a figure."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from django.utils.safestring import SafeString

from portal.charts.marks import (
    Column,
    Limit,
    Number,
    Series,
    Tone,
    element,
    frame,
    linked,
    percent,
    pixels,
    words,
)
from portal.charts.scale import PAD_PX, Scale, round_ticks, x_labels

WIDTH_UNITS = 1000
SPARK_WIDTH_UNITS = 100
SPARK_PAD_PX = 3

Place = tuple[Decimal, Decimal]


def _path(places: Sequence[Place]) -> str:
    return "M" + " L".join(f"{pixels(x)} {pixels(y)}" for x, y in places)


def _runs(columns: Sequence[Column], key: str, scale: Scale) -> list[list[Place]]:
    """The unbroken stretches of one series: a line never bridges what is not known."""
    runs: list[list[Place]] = [[]]
    for index, column in enumerate(columns):
        value = column.values.get(key)
        if value is None:
            runs.append([])
        else:
            x = Decimal((2 * index + 1) * WIDTH_UNITS) / (2 * len(columns))
            runs[-1].append((x, scale.y(Decimal(value))))
    return [run for run in runs if run]


def _curves(runs: Sequence[Sequence[Place]], layer: Series, *, scale: Scale, filled: bool) -> str:
    drawn = []
    zero = scale.y(Decimal(0))
    for run in runs:
        if len(run) > 1:
            line = _path(run)
            if filled:
                area = f"{line} L{pixels(run[-1][0])} {pixels(zero)} L{pixels(run[0][0])} {pixels(zero)} Z"
                drawn.append(element("path", class_=f"area {layer.tone}", d=area))
            drawn.append(element("path", class_=f"line {layer.tone}{' dashed' if layer.dashed else ''}", d=line))
    return "".join(drawn)


def _dots(runs: Sequence[Sequence[Place]], tone: Tone) -> str:
    """A dot on the latest value, and on every value that stands alone."""
    ends = {run[-1] for run in runs if len(run) == 1} | ({runs[-1][-1]} if runs else set())
    return "".join(
        element("circle", class_=f"dot {tone}", cx=percent(x / WIDTH_UNITS), cy=pixels(y), r="4.5")
        for x, y in sorted(ends)
    )


def _limit(limit: Limit, scale: Scale) -> str:
    y = scale.y(Decimal(limit.value))
    rule = element("line", class_="budget", x1="0", x2="100%", y1=pixels(y), y2=pixels(y))
    text_y = y - 6 if y > PAD_PX + 8 else y + 15
    return rule + element("text", words(limit.label), class_="budget-t", x="6", y=pixels(text_y))


def _hits(columns: Sequence[Column], height_px: int) -> str:
    width = Decimal(1) / max(len(columns), 1)
    marks = []
    for index, column in enumerate(columns):
        if column.facts or column.url:
            hit = element("rect", class_="hit", x=percent(width * index), width=percent(width), y="0", height=height_px)
            marks.append(linked(hit, title=column.title, facts=column.facts, url=column.url, class_="pt"))
    return "".join(marks)


def line_chart(
    columns: Sequence[Column],
    series: Sequence[Series],
    *,
    label: str,
    form: Callable[[Decimal], str],
    limit: Limit | None = None,
    height_px: int = 216,
) -> SafeString:
    """One line per series through the columns' values; the only measured series is filled down to zero.

    For a cumulative line give running totals. A column without a value for a series breaks its line: leave
    days that have not happened without values and the line stops at today. ``limit`` is drawn dashed with
    its words.
    """
    values = [column.values[layer.key] for column in columns for layer in series if layer.key in column.values]
    levels = [*values, *([limit.value] if limit else [])]
    low, high = Decimal(min(levels, default=0)), Decimal(max(levels, default=0))
    whole = all(isinstance(value, int) for value in levels)
    scale = Scale(ticks=round_ticks(low, high, whole=whole), height_px=height_px)
    measured = [layer for layer in series if not layer.dashed]
    curves, dots = [], []
    for layer in series:
        runs = _runs(columns, layer.key, scale)
        curves.append(_curves(runs, layer, scale=scale, filled=measured == [layer]))
        dots.append(_dots(runs, layer.tone))
    nested = element(
        "svg",
        "".join(curves),
        viewBox=f"0 0 {WIDTH_UNITS} {height_px}",
        preserveAspectRatio="none",
        width="100%",
        height=height_px,
    )
    over = (_limit(limit, scale) if limit else "") + "".join(dots) + _hits(columns, height_px)
    labels = x_labels(columns, slots=max(len(columns), 1), height_px=height_px)
    return frame(scale.axis(form), scale.grid() + nested + over + labels, label=label, height_px=height_px)


def sparkline(
    values: Sequence[Number],
    *,
    tone: Tone = "k-line",
    small: bool = False,
    filled: bool = False,
    height_px: int = 30,
) -> SafeString:
    """A small line without axes, from the lowest to the highest of its own values; flat values lie in the
    middle.

    It repeats figures that stand beside it in words, so it is hidden from assistive technology. No values
    draw an empty strip of the same height, one value a flat line.
    """
    points = [Decimal(value) for value in values] * (2 if len(values) == 1 else 1)
    classes = " ".join(["spark", *(["sm"] if small else []), *([tone] if tone else [])])
    low, high = min(points, default=Decimal(0)), max(points, default=Decimal(0))
    places: list[Place] = []
    for index, value in enumerate(points):
        share = (high - value) / (high - low) if high != low else Decimal("0.5")
        x = Decimal(index * SPARK_WIDTH_UNITS) / (len(points) - 1)
        places.append((x, SPARK_PAD_PX + (height_px - 2 * SPARK_PAD_PX) * share))
    inside = ""
    if places:
        line = _path(places)
        if filled:
            inside = element("path", class_="s-area", d=f"{line} L{SPARK_WIDTH_UNITS} {height_px} L0 {height_px} Z")
        inside += element("path", class_="s-line", d=line)
    return SafeString(
        element(
            "svg",
            inside,
            class_=classes,
            viewBox=f"0 0 {SPARK_WIDTH_UNITS} {height_px}",
            preserveAspectRatio="none",
            height=height_px,
            aria_hidden="true",
        )
    )
