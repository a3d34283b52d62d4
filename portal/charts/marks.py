"""What every chart is made of: its inputs, its tooltips and the one function that writes SVG."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from typing import Literal

from django.utils.safestring import SafeString

from portal.punctuation import between

Number = int | Decimal

Tone = Literal[
    "",
    "s-in",
    "s-cached",
    "s-write",
    "s-out",
    "m0",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "c-gpu",
    "c-energy",
    "c-ovh",
    "k-line",
    "k-soft",
    "k-price",
    "u-hi",
    "u-mid",
    "u-lo",
    "good",
    "warn",
    "bad",
]
"""A colour by meaning. ``s-*`` token classes, ``m0``…``m4`` categories and ``m5`` "Other", ``c-*`` costs,
``k-*`` one measured line, its softer continuation and a price tick, ``u-*`` utilisation,
``good``/``warn``/``bad``.
"""

ColumnState = Literal["measured", "partial", "estimated", "gap", "ahead"]
"""``partial``: still filling, drawn faded. ``estimated``: not measured, dashed. ``gap``: nothing known, an
empty dashed slot and never a zero. ``ahead``: has not happened yet, a short rule on the base line.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a tooltip: a name, its formatted value and the swatch of the mark it describes."""

    name: str
    value: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of a chart. ``dashed`` is for what is expected rather than measured (lines only)."""

    key: str
    name: str
    tone: Tone
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One place on the x axis: a day, an hour, a month.

    ``label`` stands under the axis ("" leaves it out), ``title`` heads the tooltip and the table row.
    ``values`` are by series key; a missing key is unknown, not zero. ``url`` makes the column a link.
    """

    label: str
    title: str
    values: Mapping[str, Number] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    url: str = ""
    state: ColumnState = "measured"
    weekend: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A level drawn across a chart, such as a budget, with its words: "Budget $32,000"."""

    value: Number
    label: str


class UnsafeAttributeError(ValueError):
    """An attribute was asked for that a strict content security policy forbids."""


def element(name: str, children: str = "", /, **attributes: str | int | Decimal | None) -> str:
    """One SVG element. Attribute values are escaped here, so nothing else in the charts has to; ``None``
    leaves an attribute out, ``class_`` is written ``class`` and underscores become hyphens. ``children``
    is markup.
    """
    written = []
    for key, value in attributes.items():
        if key == "style" or key.startswith("on"):
            raise UnsafeAttributeError(key)
        if value is not None:
            written.append(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"')
    return f"<{name}{''.join(written)}>{children}</{name}>"


def words(text: str) -> str:
    """Text as it may stand inside an element."""
    return escape(text)


def percent(share: Decimal) -> str:
    """A share of the width (0…1) as an SVG length: ``Decimal("0.25")`` is ``25%``."""
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def pixels(value: Decimal) -> str:
    """A vertical coordinate in pixels, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def tooltip(title: str, facts: Sequence[Fact]) -> str:
    """What ``portal.js`` shows beside a mark: a JSON list ``[title, [name, tone, value], …]``."""
    return json.dumps([title, *([fact.name, fact.tone, fact.value] for fact in facts)], ensure_ascii=False)


def spoken(title: str, facts: Sequence[Fact]) -> str:
    """The same as one sentence, for the SVG title that shows when scripts are off."""
    return between("comma").join([title, *(f"{fact.name} {fact.value}" for fact in facts)])


def linked(inside: str, *, title: str, facts: Sequence[Fact], url: str, class_: str) -> str:
    """A mark with its tooltip, a link where there is somewhere to go.

    Links are out of the tab order: the chart is one stop read with the arrow keys, and its table holds the
    same links.
    """
    body = element("title", words(spoken(title, facts))) + inside
    tip = tooltip(title, facts)
    if url:
        return element("a", body, class_=class_, href=url, tabindex="-1", data_tip=tip)
    return element("g", body, class_=class_, data_tip=tip)


def frame(axis: str, plot: str, *, label: str, height_px: int) -> SafeString:
    """Axis and plot side by side in one labelled group that takes the keyboard."""
    drawn_px = height_px + 26
    left = element("svg", axis, class_="chart-y", aria_hidden="true", height=drawn_px)
    right = element("svg", plot, class_="chart-plot", aria_hidden="true", height=drawn_px)
    return SafeString(
        f'<div class="chart" role="group" tabindex="0" data-chart="" aria-label="{escape(label)}">{left}{right}</div>'
    )
