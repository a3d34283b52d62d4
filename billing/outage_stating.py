"""Stating what no meter knows of a lease: that cards which it held could not be used, by its provider's word.

What is stated stays: it can be added to, not taken back. It counts in the billing periods in which the outage was, one
fact for each card and period; of a closed period it is adjusted on the next bill (`billing.adjusting`). What was stated
before changes nothing.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.charging import ensure_periods
from billing.models import BillingPeriod, Term, TermAllocation, TermFact
from billing.rating.held_time import StatedOutage
from billing.rating.kinds import write_fact
from billing.rating.spans import Span, common, joined, length
from billing.recording import locked_term
from billing.share_stating import By, NotTheParty
from clusters.occupancy import instant_of_second, unix_second
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

CAUSE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""A word such as terms name the causes by that count."""
EXAMPLE_CAUSE: Final = "maintenance"


class WrongOutage(Problem):
    """What was stated of a lease cannot have been: which field, why, and what a right one looks like."""

    status = 422
    code = "wrong_outage"
    title = "This outage cannot be stated"

    def __init__(self, field: str, reason: str, example: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" Example: {example}" if example else ""), said=reason, field=field)
        self.example = example


@dataclass(frozen=True, slots=True)
class Stated:
    """An outage as it is on record, and whether anything of it was new. `accelerators` are the cards, in order."""

    cause: str
    from_at: datetime
    to_at: datetime
    accelerators: tuple[str, ...]
    is_new: bool


@transaction.atomic
def state_outage(
    *,
    lease: Term,
    cause: str,
    from_at: datetime,
    to_at: datetime,
    by: By,
    now: datetime,
    accelerators: Collection[UUID] = (),
) -> Stated:
    """State that cards of a lease could not be used over `[from_at, to_at)`, at full seconds; without any named, all
    that it held, each while it held them.

    Raises `NotTheParty` and `WrongOutage`.
    """
    lease, contract = locked_term(lease)
    if by.organization.pk != contract.provider_id:
        raise NotTheParty(sentence("%(number)s's provider states outages.", number=contract.number))
    if not CAUSE.fullmatch(cause):
        reason = sentence("A cause is a word of lower-case letters, digits and _, as terms name it.")
        raise WrongOutage("cause", reason, EXAMPLE_CAUSE)
    span = _checked_span(from_at, to_at, now)
    out = _out(lease, span, [str(each) for each in accelerators])
    ensure_periods(contract=contract, now=now)
    starts = BillingPeriod.objects.filter(contract=contract, from_at__lt=to_at).values_list("from_at", flat=True)
    wanted = _documents(cause, out, [unix_second(each) for each in starts])
    known = TermFact.objects.filter(term=lease, document__fact="stated_outage", document__cause=cause)
    before = [each.document for each in known]
    rows = [
        TermFact(term=lease, at=at, document=document, recorded_by=by.name, recorded_at=now)
        for at, document in wanted
        if document not in before
    ]
    start, end = map(instant_of_second, span)
    stated = Stated(cause, start, end, tuple(sorted(out)), is_new=bool(rows))
    if rows:
        TermFact.objects.bulk_create(rows)
        _note(lease, stated, by, now)
    return stated


def _checked_span(from_at: datetime, to_at: datetime, now: datetime) -> Span:
    span = (unix_second(from_at), unix_second(to_at))
    if span[0] >= span[1]:
        raise WrongOutage(
            "to", sentence("It must be later than the start."), instant_of_second(span[0] + 60).isoformat()
        )
    if to_at > now:
        reason = sentence("%(at)s is to come: an outage is stated once it is over.", at=to_at.isoformat())
        raise WrongOutage("to", reason, now.replace(microsecond=0).isoformat())
    return span


def _out(lease: Term, span: Span, named: Collection[str]) -> Mapping[str, list[Span]]:
    """Return when each card was out, by its id: those named over the whole of a span, else all while they were held."""
    held = _held(lease, until=span[1])
    for card in named:
        if card not in held:
            reason = sentence("%(ref)s never held the card %(card)s.", ref=lease.ref, card=card)
            raise WrongOutage("accelerator_ids", reason, next(iter(held), ""))
    chosen = {card: common([span], spans) for card, spans in held.items() if not named or card in named}
    short = named and any(length(spans) < span[1] - span[0] for spans in chosen.values())
    if short or length(joined(each for spans in chosen.values() for each in spans)) < span[1] - span[0]:
        first = min((each[0] for spans in held.values() for each in spans), default=unix_second(lease.from_at))
        reason = sentence(
            "%(ref)s did not hold the cards over the whole of that time; it holds from %(from_at)s to %(until)s.",
            ref=lease.ref,
            from_at=instant_of_second(first).isoformat(),
            until=lease.to_at.isoformat() if lease.to_at else sentence("further notice"),
        )
        raise WrongOutage("from", reason, instant_of_second(first).isoformat())
    return {card: spans for card, spans in sorted(chosen.items()) if spans}


def _held(lease: Term, *, until: int) -> Mapping[str, list[Span]]:
    """Return when a lease held each card up to a second, by the card's id."""
    of = ("slice__accelerator_id", "from_at", "to_at")
    rows = TermAllocation.objects.filter(term=lease).values_list(*(f"allocation__{name}" for name in of))
    found: dict[str, list[Span]] = {}
    for card, start, end in rows:
        last = until if end is None else unix_second(end)
        found.setdefault(str(card), []).append((unix_second(start), last))
    return {card: joined(spans) for card, spans in sorted(found.items())}


def _documents(
    cause: str, out: Mapping[str, Iterable[Span]], starts: Collection[int]
) -> list[tuple[datetime, dict[str, object]]]:
    """Return the facts of an outage with the instant at which each counts, none over the start of a billing period."""
    found = []
    for card, spans in out.items():
        for start, end in spans:
            edges = [start, *sorted(each for each in starts if start < each < end), end]
            for one, other in pairwise(edges):
                at = instant_of_second(one)
                fact = StatedOutage(subject=card, cause=cause, from_at=at, to_at=instant_of_second(other))
                found.append((at, write_fact(fact)))
    return found


def _note(lease: Term, stated: Stated, by: By, now: datetime) -> None:
    AuditEntry.objects.create(
        organization=by.organization,
        actor=by.name,
        action="lease.outage_stated",
        subject=lease.ref,
        before={},
        after={
            "cause": stated.cause,
            "from_at": stated.from_at.isoformat(),
            "to_at": stated.to_at.isoformat(),
            "accelerator_ids": list(stated.accelerators),
        },
        at=now,
    )
