"""From values to pixels: round tick values, the y axis, and the words under the x axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from portal.charts.marks import Column, element, percent, pixels, words

PAD_PX = 10
STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
WHOLE_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


def round_ticks(low: Decimal, high: Decimal, *, intervals: int = 4, whole: bool = False) -> tuple[Decimal, ...]:
    """Evenly spaced round values that cover ``low``…``high`` and always zero.

    ``whole`` keeps the step at one or more, for what is counted. A flat zero range gives 0 and 1.
    """
    low, high = min(low, Decimal(0)), max(high, Decimal(0))
    if low == high:
        return (Decimal(0), Decimal(1))
    raw = (high - low) / intervals
    if whole and raw < 1:
        raw = Decimal(1)
    magnitude = Decimal(1).scaleb(raw.adjusted())
    steps = WHOLE_STEPS if whole and magnitude == 1 else STEPS
    step = next(size * magnitude for size in steps if size * magnitude >= raw)
    first = int((low / step).to_integral_value(ROUND_FLOOR))
    last = int((high / step).to_integral_value(ROUND_CEILING))
    return tuple(index * step for index in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear y axis of ``height_px`` pixels between the lowest and the highest tick."""

    ticks: tuple[Decimal, ...]
    height_px: int

    def y(self, value: Decimal) -> Decimal:
        """The y coordinate in pixels, from the top."""
        bottom, top = self.ticks[0], self.ticks[-1]
        return PAD_PX + (self.height_px - PAD_PX) * (top - value) / (top - bottom)

    def axis(self, form: Callable[[Decimal], str]) -> str:
        """The tick labels, right-aligned in their own narrow SVG."""
        return "".join(
            element("text", words(form(tick)), x="100%", y=pixels(self.y(tick)), dy="4", text_anchor="end")
            for tick in self.ticks
        )

    def grid(self) -> str:
        """One hairline per tick; the zero line is stronger."""
        lines = []
        for tick in self.ticks:
            y = pixels(self.y(tick))
            lines.append(element("line", class_="grid" if tick else "base", x1="0", x2="100%", y1=y, y2=y))
        return "".join(lines)


def x_labels(columns: Sequence[Column], *, slots: int, height_px: int) -> str:
    """The words under the axis; every second one carries ``alt`` and gives way where the chart is narrow."""
    labels: list[str] = []
    for index, column in enumerate(columns):
        if not column.label:
            continue
        classes = ["xl", *(["we"] if column.weekend else []), *(["alt"] if len(labels) % 2 else [])]
        x = percent(Decimal(2 * index + 1) / (2 * slots))
        labels.append(
            element(
                "text",
                words(column.label),
                class_=" ".join(classes),
                x=x,
                y=height_px + 19,
                text_anchor="middle",
            )
        )
    return "".join(labels)
