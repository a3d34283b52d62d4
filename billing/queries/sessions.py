"""Sessions and volumes as both parties of their contract see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from billing.models import Session, SessionAllocation, SessionEvent, SessionStep, Term, VolumeSize
from billing.rating.rated import TermKind
from billing.terms import said_in_order
from tenants.listing.paging import Page, Paged, page_rows
from tenants.models import Organization

ROWS_MAX = 500
RECORDED_KINDS = (TermKind.ON_DEMAND, TermKind.SPOT, TermKind.STORAGE)
Ending = Literal["", "stopped", "taken_back", "term_ended"]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session up to an instant. `state` is the last that was said of it, empty once it is over."""

    id: UUID
    term: str
    kind: str
    contract: str
    name: str
    accelerator_model: str
    count: int
    from_at: datetime
    to_at: datetime | None
    state: str
    ending: Ending
    noticed_at: datetime | None


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """A volume's size as it was said last."""

    term: str
    contract: str
    volume: str
    gigabytes: int
    at: datetime


def recorded_term(organization: Organization, ref: str) -> Term | None:
    """Return a term of an organization's contracts that sessions or volumes are recorded of, None without one."""
    terms = Term.objects.filter(_party("contract__", organization), ref=ref, kind__in=RECORDED_KINDS)
    return terms.select_related("contract").first()


def session_of(organization: Organization, session_id: UUID) -> Session | None:
    """Return a session between an organization and somebody, None where it has no such session."""
    return _sessions(organization).filter(pk=session_id).first()


def session_rows(organization: Organization, now: datetime, *, session_id: UUID | None = None) -> list[SessionRow]:
    """Return the sessions an organization gives or takes, the last begun first, at most `ROWS_MAX`; three queries."""
    found = _sessions(organization)
    if session_id is not None:
        found = found.filter(pk=session_id)
    return [_row(session, now) for session in _with_steps(found).order_by("-from_at", "-pk")[:ROWS_MAX]]


def session_page(organization: Organization, now: datetime, page: Page) -> Paged[SessionRow]:
    """Return a page of the sessions an organization gives or takes, the last begun first; three queries.

    Raises WrongCursor.
    """
    found = page_rows(_with_steps(_sessions(organization)), page, ("-from_at", "-pk"))
    return Paged([_row(session, now) for session in found.rows], found.next_cursor)


def volume_rows(organization: Organization) -> list[VolumeRow]:
    """Return the volumes that there are, each as it was said last, by term and name; one query."""
    sizes = VolumeSize.objects.filter(_party("term__contract__", organization))
    last = sizes.select_related("term__contract").order_by("term_id", "volume", "-at").distinct("term_id", "volume")
    rows = [
        VolumeRow(size.term.ref, size.term.contract.number, size.volume, size.gigabytes, size.at)
        for size in last
        if size.gigabytes
    ]
    return sorted(rows, key=lambda row: (row.term, row.volume))


def session_terms(organization: Organization) -> list[Term]:
    """Return the terms on demand, on spot and of storage of an organization's contracts, with their wordings."""
    terms = Term.objects.filter(_party("contract__", organization), kind__in=RECORDED_KINDS)
    return list(terms.select_related("contract").prefetch_related(said_in_order()).order_by("ref")[:ROWS_MAX])


def _sessions(organization: Organization) -> QuerySet[Session]:
    return Session.objects.filter(_party("term__contract__", organization)).select_related("term__contract")


def _with_steps(found: QuerySet[Session]) -> QuerySet[Session]:
    return found.prefetch_related(
        Prefetch("events", SessionEvent.objects.order_by("at", "recorded_at")),
        Prefetch("held", SessionAllocation.objects.select_related("allocation")),
    )


def _party(path: str, organization: Organization) -> Q:
    return Q(**{f"{path}tenant": organization}) | Q(**{f"{path}provider": organization})


def _row(session: Session, now: datetime) -> SessionRow:
    to_at = next(iter(session.held.all())).allocation.to_at
    over = to_at is not None and to_at <= now
    events = list(session.events.all())
    states = [event.state for event in events if event.state]
    taken = [event for event in events if event.step == SessionStep.TAKEN_BACK and event.at == to_at]
    return SessionRow(
        id=session.id,
        term=session.term.ref,
        kind=session.term.kind,
        contract=session.term.contract.number,
        name=session.name,
        accelerator_model=session.accelerator_model,
        count=session.count,
        from_at=session.from_at,
        to_at=to_at,
        state="" if over else states[-1],
        ending=_ending(events, bool(taken)) if over else "",
        noticed_at=taken[0].noticed_at if taken else None,
    )


def _ending(events: list[SessionEvent], taken: bool) -> Ending:
    if taken:
        return "taken_back"
    return "stopped" if any(event.step == SessionStep.STOPPED for event in events) else "term_ended"
