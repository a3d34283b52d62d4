"""What terms on demand, on spot and of storage are rated from beside their holds: states, take-backs and volumes.

Derived from the facts recorded, cut to each window, so that what lasts over the end of a period counts in both. Four
queries at most, and none where no contract has such a term.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from billing.models import SessionAllocation, SessionEvent, SessionStep, Term, VolumeSize
from billing.rating.inputs import Fact
from billing.rating.on_demand import StateSpan, TakenBack
from billing.rating.rated import TermKind
from billing.rating.storage import Stored
from billing.usage_spans import Window
from tenants.limits.written_once import written_once

Key = tuple[int, UUID]
SESSION_KINDS = (TermKind.ON_DEMAND, TermKind.SPOT)


def session_facts(windows: Sequence[Window], terms: Iterable[Term]) -> Mapping[Key, list[Fact]]:
    """Return by window and term the states of its sessions, those that were taken back, and sizes of volumes."""
    found: dict[Key, list[Fact]] = defaultdict(list)
    by_kind: dict[bool, list[Term]] = {True: [], False: []}
    for term in terms:
        if term.kind in SESSION_KINDS or term.kind == TermKind.STORAGE:
            by_kind[term.kind in SESSION_KINDS].append(term)
    if not by_kind[True] and not by_kind[False]:
        return found
    until = max(window.to_at for window in windows)
    facts = {**_of_sessions(by_kind[True], until), **_of_volumes(by_kind[False], until)}
    contract_of = {term.id: term.contract_id for term in (*by_kind[True], *by_kind[False])}
    for index, window in enumerate(windows):
        for term_id, stated in facts.items():
            if contract_of[term_id] == window.contract.id:
                found[index, term_id].extend(cut for fact in stated if (cut := _cut(fact, window)) is not None)
    return found


def _of_sessions(terms: Sequence[Term], until: datetime) -> dict[UUID, list[Fact]]:
    found: dict[UUID, list[Fact]] = defaultdict(list)
    if not terms:
        return found
    events: dict[UUID, list[SessionEvent]] = defaultdict(list)
    for event in _events({term.id for term in terms}, until):
        events[event.session_id].append(event)
    for session_id, term_id, slice_id, to_at in _slices(set(events)):
        found[term_id].extend(_of_slice(str(slice_id), events[session_id], to_at, until))
    return found


@written_once
def _events(terms: Collection[UUID], until: datetime) -> QuerySet[SessionEvent]:
    return SessionEvent.objects.filter(session__term__in=terms, at__lte=until).order_by("at", "recorded_at")


@written_once
def _slices(sessions: Collection[UUID]) -> QuerySet[SessionAllocation, tuple[Any, ...]]:
    held = SessionAllocation.objects.filter(session_id__in=sessions).order_by("session_id", "allocation__slice_id")
    return held.values_list("session_id", "session__term_id", "allocation__slice_id", "allocation__to_at")


def _of_slice(
    slice_ref: str, events: Sequence[SessionEvent], to_at: datetime | None, until: datetime
) -> Iterable[Fact]:
    end = until if to_at is None else min(to_at, until)
    states = [event for event in events if event.state]
    for event, after in zip(states, [*(each.at for each in states[1:]), end], strict=True):
        if event.state != "running" and event.at < after:
            yield StateSpan(slice_ref=slice_ref, state=event.state, from_at=event.at, to_at=min(after, end))
    for event in events:
        # Who was given notice and stopped before was not taken back.
        if event.step == SessionStep.TAKEN_BACK and event.at == to_at:
            yield TakenBack(slice_ref=slice_ref, taken_at=event.at, noticed_at=event.noticed_at)


def _of_volumes(terms: Sequence[Term], until: datetime) -> dict[UUID, list[Fact]]:
    found: dict[UUID, list[Fact]] = defaultdict(list)
    if not terms:
        return found
    ends = {term.id: term.to_at for term in terms}
    sizes: dict[tuple[UUID, str], list[VolumeSize]] = defaultdict(list)
    for size in VolumeSize.objects.filter(term__in=terms, at__lt=until).order_by("volume", "at"):
        sizes[size.term_id, size.volume].append(size)
    for (term_id, volume), each in sizes.items():
        for size, after in zip(each, [*(later.at for later in each[1:]), ends[term_id]], strict=True):
            if size.gigabytes:
                found[term_id].append(Stored(volume=volume, gigabytes=size.gigabytes, from_at=size.at, to_at=after))
    return found


def _cut(fact: Fact, window: Window) -> Fact | None:
    """Return what of a fact lies in a window; a take-back at its very end belongs to it, as the session's end does."""
    if isinstance(fact, TakenBack):
        return fact if window.from_at < fact.taken_at <= window.to_at else None
    assert isinstance(fact, StateSpan | Stored)
    start, end = max(fact.from_at, window.from_at), min(fact.to_at or window.to_at, window.to_at)
    if start >= end:
        return None
    if isinstance(fact, Stored):
        return Stored(volume=fact.volume, gigabytes=fact.gigabytes, from_at=start, to_at=end)
    return StateSpan(slice_ref=fact.slice_ref, state=fact.state, from_at=start, to_at=end)
