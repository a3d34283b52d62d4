"""The inputs of the component partials in ``portal/templates/portal/partials``, as plain data.

Every text comes translated and formatted (``str``, or ``SafeString`` from ``figures_tags``); templates only
place it.
"""

from dataclasses import dataclass
from typing import Literal

from portal.icons import IconName

PillTone = Literal["", "good", "warn", "bad", "info"]
NoticeTone = Literal["info", "good", "warn", "bad"]
CheckState = Literal["good", "warn", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Pill:
    """A state as a dot and a word: ``{% include "portal/partials/pill.html" with pill=pill %}``."""

    text: str
    tone: PillTone = ""
    small: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A link drawn as a button. ``key`` is the keyboard key that presses it, such as ``e`` for an export."""

    title: str
    url: str
    icon: IconName | Literal[""] = ""
    primary: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A strip above the page's content: what happened, in figures, then what to do.

    Shown by ``portal/partials/notice.html`` with ``notice``. ``bad`` and ``warn`` are announced at once.
    """

    strong: str
    text: str = ""
    tone: NoticeTone = "info"
    link: Action | None = None


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure of a strip. ``chart`` is a ``bar`` or a ``sparkline``; ``lead`` makes it the wider first
    one.

    ``foot`` is the line below; ``foot_strong`` stands before it in the tone of what it says ("$3,281 over
    budget"). ``alert`` tints the whole figure: only where a stored check found something.
    """

    title: str
    value: str
    unit: str = ""
    chart: str = ""
    foot: str = ""
    foot_strong: str = ""
    foot_tone: PillTone = ""
    lead: bool = False
    alert: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of evidence: what was checked, with which result, and the proof (a hash, a reference) in
    ``code``.

    ``unknown`` is for a check that has not run. Never show ``good`` without a stored check behind it.
    """

    state: CheckState
    title: str
    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands where there is nothing to show: what happened, then what to do."""

    title: str
    text: str
    action: Action | None = None
    icon: IconName = "empty"


@dataclass(frozen=True, slots=True)
class Pagination:
    """Links to the neighbouring pages ("" where there is none) and what is shown now: "1 to 50 of 1,204"."""

    summary: str
    previous_url: str = ""
    next_url: str = ""


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A name beside its swatch; ``tone`` is a chart tone or one of ``key-running``, ``key-reserved``,
    ``key-ended``, ``key-maintenance``, ``key-gap``, ``key-estimated``.
    """

    name: str
    tone: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One button of a segmented control: a link that keeps the page's other filters in ``url``."""

    title: str
    url: str
    current: bool = False
