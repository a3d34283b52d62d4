"""Sessions on demand and on spot: started where capacity is free, in a state, stopped, or taken back.

A session holds its slices by the same allocations as a lease does, so the database keeps the two apart. It has no end
until somebody stops it or its term ends. What is recorded is a fact: sent again it changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from billing.holding import Hold, SliceTaken, WrongTerms, hold_slices
from billing.lease_steps import agreed_price
from billing.models import Session, SessionAllocation, SessionEvent, SessionStep, Term
from billing.quoting import RESERVE_TRIES, NotEnoughFree
from billing.rating.on_demand import STATES, SessionWording, SpotWording
from billing.recording import locked_term, wording_then
from clusters.capacity import Wish, earliest_start, free_slices, require_model
from clusters.models import Allocation, Slice, SliceKind
from clusters.packing import pack
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

TAKE_BACK_AHEAD_MAX = timedelta(days=7)
FIRST_STATES = STATES[:2]


class SessionOver(Problem):
    """The session has ended by then."""

    status = 409
    code = "session_over"
    title = "The session is over"


class SessionDiffers(Problem):
    """The name belongs to a session of other slices."""

    status = 409
    code = "session_differs"
    title = "A session of this name was started with something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`count` slices of a card model; without `model` that of the term."""

    count: int = 1
    model: str = ""
    kind: str = SliceKind.WHOLE
    profile: str = ""
    share_permille: int | None = None


def start_session(
    *, term: Term, name: str, wanted: Wanted, at: datetime, by: str, now: datetime, state: str = "running"
) -> Session:
    """Take slices that nobody has booked from an instant on; a name that was started already is that session.

    Raises `NotEnoughFree` with the earliest start, `WrongTerms` with the field, `SessionDiffers`, `NoPriceInForce`,
    `NotOpen`, `WrongWish`.
    """
    if state not in FIRST_STATES:
        raise WrongTerms(
            sentence("A session starts as %(first_states)s.", first_states=" or ".join(FIRST_STATES)),
            field="state",
            example=FIRST_STATES[0],
        )
    at = at.replace(microsecond=0)
    for _ in range(RESERVE_TRIES - 1):
        try:
            return _start(term, name, wanted, at=at, by=by, now=now, state=state)
        except SliceTaken:
            # Somebody was faster with one of the slices that were free a moment ago: choose again.
            continue
    return _start(term, name, wanted, at=at, by=by, now=now, state=state)


@transaction.atomic
def state_session(*, session: Session, state: str, at: datetime, by: str, now: datetime) -> bool:
    """Record that a session is in a state from an instant on; say whether that was new.

    Raises `WrongTerms` with the field, `SessionOver`.
    """
    if state not in STATES:
        raise WrongTerms(
            sentence("%(state)s is none of %(states)s.", state=repr(state), states=Listed(STATES)),
            field="state",
            example=STATES[1],
        )
    at = at.replace(microsecond=0)
    if SessionEvent.objects.filter(session=session, step=SessionStep.STATE, at=at, state=state).exists():
        return False
    events = _events(session, at, now)
    before = [event for event in events if event.state][-1]
    if before.state == state and before.at <= at:
        return False
    _record(session, SessionStep.STATE, at, events, by=by, now=now, state=state)
    return True


@transaction.atomic
def stop_session(*, session: Session, at: datetime | None, by: str, now: datetime) -> bool:
    """Free a session's slices from an instant on, without one now; say whether that was new.

    A session lasts a second at least. Raises `WrongTerms` with the field, `SessionOver` where it ended at another
    instant than the one given.
    """
    stops = SessionEvent.objects.filter(session=session, step=SessionStep.STOPPED)
    if at is None and stops.exists():
        return False
    at = max((at or now).replace(microsecond=0), session.from_at + timedelta(seconds=1))
    if stops.filter(at=at).exists():
        return False
    events = _events(session, min(at, now), now)
    _record(session, SessionStep.STOPPED, at, events, by=by, now=now)
    _end(session, at)
    return True


@transaction.atomic
def take_session_back(*, session: Session, at: datetime, by: str, now: datetime) -> bool:
    """Take a spot session back; an instant to come is the notice, given now. Say whether that was new.

    Raises `WrongTerms` with the field for a session that is not on spot, or too far ahead, and `SessionOver`.
    """
    at = max(at.replace(microsecond=0), session.from_at + timedelta(seconds=1))
    if SessionEvent.objects.filter(session=session, step=SessionStep.TAKEN_BACK, at=at).exists():
        return False
    if at > now + TAKE_BACK_AHEAD_MAX:
        raise WrongTerms(
            sentence("A take-back is announced at most 7 days ahead."), field="at", example=now.isoformat()
        )
    events = _events(session, min(at, now), now)
    if not isinstance(session.term.wording_at(at), SpotWording):
        raise WrongTerms(
            sentence("%(ref)s is not on spot: nothing of it is taken back.", ref=session.term.ref), field="session"
        )
    end = _end_of(session)
    if end is not None and at > end:
        raise WrongTerms(
            sentence("%(name)s ends at %(end)s already.", name=session.name, end=end.isoformat()),
            field="at",
            example=now.isoformat(),
        )
    noticed = now.replace(microsecond=0)
    _record(session, SessionStep.TAKEN_BACK, at, events, by=by, now=now, noticed_at=noticed if noticed < at else None)
    _end(session, at)
    return True


@transaction.atomic
def _start(term: Term, name: str, wanted: Wanted, *, at: datetime, by: str, now: datetime, state: str) -> Session:
    term, contract = locked_term(term)
    known = Session.objects.filter(term=term, name=name).first()
    if known is not None:
        return _same(known, wanted)
    wording = wording_then(term, contract, at, now)
    if not isinstance(wording, SessionWording):
        raise WrongTerms(
            sentence("%(ref)s is a term of kind %(kind)s: it has no sessions.", ref=term.ref, kind=term.kind),
            field="term",
            example="D-0001",
        )
    model = wanted.model or wording.accelerator_model
    if not model or (wording.accelerator_model and model != wording.accelerator_model):
        raise WrongTerms(
            sentence(
                "%(ref)s is for %(accelerator_model)s.",
                ref=term.ref,
                accelerator_model=wording.accelerator_model or "any card: name its model",
            ),
            field="model",
            example=wording.accelerator_model or "NVIDIA H100 80GB HBM3",
        )
    if wording.price_per_gpu_hour is None:
        agreed_price(contract, model, at)
    wish = Wish(model, wanted.count, at, term.to_at, wanted.kind, wanted.profile, wanted.share_permille)
    slices = _free(wish, contract.provider_id)
    held = hold_slices(term, contract, [Hold(each, at, term.to_at) for each in slices], now, accelerator_model=model)
    session = Session.objects.create(term=term, name=name, accelerator_model=model, count=wanted.count, from_at=at)
    SessionAllocation.objects.bulk_create(SessionAllocation(session=session, allocation=each) for each in held)
    _record(session, SessionStep.STARTED, at, (), by=by, now=now, state=state)
    return session


def _same(known: Session, wanted: Wanted) -> Session:
    if known.count != wanted.count or (wanted.model and wanted.model != known.accelerator_model):
        raise SessionDiffers(
            sentence(
                "%(name)s was started with %(count)s × %(accelerator_model)s: give another name.",
                name=known.name,
                count=known.count,
                accelerator_model=known.accelerator_model,
            )
        )
    return known


def _free(wish: Wish, provider_id: UUID) -> list[Slice]:
    wish.check()
    providers = [provider_id]
    chosen = pack(free_slices(wish, provider_ids=providers), wish.count)
    if not chosen:
        require_model(wish, provider_ids=providers)
        raise NotEnoughFree.over("without an end in sight", wish, earliest_start(wish, provider_ids=providers))
    return list(Slice.objects.filter(pk__in=[one.slice_id for one in chosen]).order_by("pk"))


def _events(session: Session, at: datetime, now: datetime) -> Sequence[SessionEvent]:
    """Return what happened to a session so far, once nobody else can add to it; raise where `at` cannot follow it."""
    session.term, contract = locked_term(session.term)
    wording_then(session.term, contract, at, now)
    end = _end_of(session)
    if end is not None and end <= max(at, session.from_at):
        raise SessionOver(sentence("%(name)s ended at %(end)s.", name=session.name, end=end.isoformat()))
    return list(SessionEvent.objects.filter(session=session).order_by("at", "recorded_at"))


def _record(
    session: Session,
    step: SessionStep,
    at: datetime,
    events: Sequence[SessionEvent],
    *,
    by: str,
    now: datetime,
    state: str = "",
    noticed_at: datetime | None = None,
) -> None:
    lasting = [event for event in events if event.step in (SessionStep.STARTED, SessionStep.STATE)]
    first = step is not SessionStep.STARTED and at <= lasting[0].at
    if lasting and (first or at < lasting[-1].at or (step is SessionStep.STATE and at == lasting[-1].at)):
        raise WrongTerms(
            sentence(
                "%(name)s is %(state)s since %(at)s: say what follows.",
                name=session.name,
                state=lasting[-1].state,
                at=lasting[-1].at.isoformat(),
            ),
            field="at",
            example=now.replace(microsecond=0).isoformat(),
        )
    SessionEvent.objects.create(
        session=session, step=step, state=state, at=at, noticed_at=noticed_at, by=by, recorded_at=now
    )


def _end_of(session: Session) -> datetime | None:
    return SessionAllocation.objects.filter(session=session).values_list("allocation__to_at", flat=True)[0]


def _end(session: Session, at: datetime) -> None:
    Allocation.objects.filter(session_allocation__session=session).update(to_at=at)
