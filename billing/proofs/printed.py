"""What an issued invoice prints beside its amounts, held to its evidence: when it is due, what its lines are called.

How a line's rule is worded may change from one version of Forecourt to the next; its term and title, its unit price's
unit and the qualities of what was metered do not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.canonical import parsed
from billing.evidence_terms import read_stretches
from billing.models import InvoiceLine
from billing.rating.late import RULE_LATE
from billing.rating.share_settling import settle_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.models import Contract

SEPARATOR = " · "


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """What a stored line says beside its amounts; `quality` is JSON, as the database has it."""

    term_ref: str
    rule: str
    model: str
    position: int
    description: str
    price_unit: str
    quality: str


def due_by(contract: Contract, document: Mapping[str, Any]) -> datetime:
    """Return when an invoice is due by the terms in its evidence, and by its contract where they say nothing."""
    terms = (read_stretches(term) for term in document["terms"])
    settling = settle_by(terms, due_days=contract.due_days, grace_hours=contract.grace_hours)
    return settling.due_at(datetime.fromisoformat(document["invoice"]["issued_at"]))


def printed_differs(lines: Sequence[PrintedLine], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lines are not called, priced by or metered as by the evidence."""
    titles = {term["ref"]: term["title"] for term in document["terms"]}
    for line in lines:
        title = "" if line.rule == RULE_LATE else titles.get(line.term_ref, "")
        begins = SEPARATOR.join(filter(None, (line.term_ref, title)))[:_DESCRIPTION_MAX]
        if not line.description.startswith(begins):
            yield f"line {line.position}: it is called {line.description!r} and not {begins!r} as in its evidence"
    stored, stated = Counter(map(_about, lines)), _stated(document)
    for about, count in (stored - stated).items():
        yield f"{count} lines of {about[0]} {about[1]} {about[2]}: per {about[3]}, {dict(about[4])} not in its evidence"


_DESCRIPTION_MAX = InvoiceLine._meta.get_field("description").max_length
_About = tuple[str, str, str, str, tuple[tuple[str, Decimal], ...]]


def _about(line: PrintedLine) -> _About:
    return line.term_ref, line.rule, line.model, line.price_unit, _qualities(parsed(line.quality))


def _stated(document: Mapping[str, Any]) -> Counter[_About]:
    found: defaultdict[_About, int] = defaultdict(int)
    for line in document["lines"]:
        unit = line["sublines"][0]["unit_price_unit"]
        found[line["term"], line["rule"], line["model"], unit, _qualities(line["quality"])] += 1
    return Counter(found)


def _qualities(quality: Mapping[str, str]) -> tuple[tuple[str, Decimal], ...]:
    return tuple((name, Decimal(amount)) for name, amount in sorted(quality.items()))
