"""Cards on file: left by tenants on Stripe's page, never seen by us, charged by invoices that fall due.

A visit to that page is a row before Stripe knows of it. It is looked at when the visitor comes back, when a webhook
says so, and by a sweep; each look does the same, as often as it is done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from billing.models import CardOnFile, CardVisit, StripeCustomer, VisitState
from billing.stripe_answers import StripeRefused
from billing.stripe_customers import ensure_customer
from billing.stripe_intents import Result, carry_out
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.stripe_gateway import StripeGateway
    from billing.stripe_seen import StripeCard, StripeSession
    from tenants.models import Organization

LOOK_EVERY = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(days=3)
"""A visit that Stripe never heard of is over then; Stripe's own pages are open for a day."""
STEP = "card_visit"


class NoCardOnFile(Problem):
    """There is no card to take off."""

    status = 404
    code = "no_card_on_file"
    title = "There is no card on file"


class CardsNotTaken(Problem):
    """This installation has no account at Stripe."""

    status = 409
    code = "cards_not_taken"
    title = "This installation takes no cards"


@transaction.atomic
def start_visit(*, organization: Organization, currency: str, by: str, now: datetime) -> CardVisit:
    """Keep that somebody wants to leave a card; `open_visit` then gets the page. An open visit is taken up again."""
    known = CardVisit.objects.filter(organization=organization, state=VisitState.OPEN).order_by("-created_at").first()
    if known is not None:
        return known
    visit = CardVisit.objects.create(
        organization=organization, currency=currency, started_by=by, created_at=now, next_look_at=now + LOOK_EVERY
    )
    AuditEntry.objects.create(
        organization=organization, actor=by, action="card.visit_started", subject=f"visit {visit.pk}", at=now
    )
    return visit


def open_visit(*, visit_id: UUID, return_url: str, gateway: StripeGateway, now: datetime) -> str:
    """Return the address of Stripe's page for a visit. No transaction may be open; raises what the gateway raises."""
    visit = CardVisit.objects.select_related("organization").get(pk=visit_id)
    if visit.url or visit.state != VisitState.OPEN:
        return visit.url
    customer_id = ensure_customer(organization=visit.organization, gateway=gateway, now=now)

    def look_up() -> Result | None:
        found = gateway.find_session(customer_id, str(visit.pk))
        return {"id": found.id, "url": found.url or ""} if found else None

    def call(key: str) -> Result:
        made = gateway.create_setup_session(
            customer_id=customer_id,
            currency=visit.currency,
            success_url=return_url,
            cancel_url=return_url,
            reference=str(visit.pk),
            idempotency_key=key,
        )
        return {"id": made.id, "url": made.url or ""}

    made = carry_out(
        key_of=lambda generation: f"card:{visit.pk}:visit:{generation}",
        step=STEP,
        subject_id=visit.pk,
        look_up=look_up,
        call=call,
        now=now,
    )
    CardVisit.objects.filter(pk=visit.pk, state=VisitState.OPEN).update(session_id=made["id"], url=made["url"])
    return made["url"]


def look_at_visit(*, visit_id: UUID, gateway: StripeGateway, now: datetime) -> bool:
    """See what became of a visit, and keep the card that was left; whether the visit is over.

    The card is made the one that pays at Stripe before it is shown here. No transaction may be open.
    """
    visit = CardVisit.objects.get(pk=visit_id)
    if visit.state != VisitState.OPEN:
        return True
    CardVisit.objects.filter(pk=visit.pk, state=VisitState.OPEN).update(next_look_at=now + LOOK_EVERY)
    if not visit.session_id:
        return now - visit.created_at > FORGOTTEN_AFTER and _end(visit, VisitState.EXPIRED, now)
    seen = gateway.get_session(visit.session_id)
    if seen.status == "complete" and seen.payment_method_id:
        return _keep(visit, seen, gateway, now)
    return seen.status == "expired" and _end(visit, VisitState.EXPIRED, now)


def look_at_session(*, session: StripeSession, gateway: StripeGateway, now: datetime) -> bool:
    """Look at the visit that a session at Stripe belongs to; whether there is one."""
    visit = CardVisit.objects.filter(session_id=session.id).first() or _written_on(session)
    if visit is None:
        return False
    CardVisit.objects.filter(pk=visit.pk, session_id="").update(session_id=session.id, url=session.url or "")
    look_at_visit(visit_id=visit.pk, gateway=gateway, now=now)
    return True


def open_visits(*, now: datetime, limit: int) -> Sequence[UUID]:
    """Return the visits to look at, the longest waiting first."""
    due = CardVisit.objects.filter(state=VisitState.OPEN, next_look_at__lte=now).order_by("next_look_at", "pk")
    return list(due.values_list("pk", flat=True)[:limit])


def forget_card(*, organization: Organization, by: str, gateway: StripeGateway, now: datetime) -> None:
    """Take the card off, at Stripe first, so that nothing is charged to it any more. Raises `NoCardOnFile`."""
    kept = CardOnFile.objects.filter(pk=organization.pk).first()
    if kept is None:
        raise NoCardOnFile(sentence("%(name)s has no card on file.", name=organization.name))
    try:
        gateway.forget_card(kept.payment_method_id, f"card:{organization.pk}:forget:{kept.payment_method_id}")
    except StripeRefused as refused:
        if refused.code != "resource_missing":
            raise
    with transaction.atomic():
        gone, _ = CardOnFile.objects.filter(pk=organization.pk, payment_method_id=kept.payment_method_id).delete()
        if gone:
            _audit(organization.pk, by, "card.forgotten", before=str(kept), after="", now=now)


def note_card(*, organization: Organization, card: StripeCard, by: str, now: datetime) -> None:
    """Show a card as the one on file; it must be the one that pays at Stripe already.

    Invoices that no card has paid are charged with a new one by the next sweep of collections.
    """
    with transaction.atomic():
        before = CardOnFile.objects.select_for_update().filter(pk=organization.pk).first()
        shown = {
            "payment_method_id": card.id,
            "kind": card.kind,
            "brand": card.brand,
            "last4": card.last4,
            "expires_year": card.expires_year,
            "expires_month": card.expires_month,
        }
        if before is not None and all(getattr(before, name) == value for name, value in shown.items()):
            return
        after, _ = CardOnFile.objects.update_or_create(
            pk=organization.pk, defaults={**shown, "kept_by": by, "kept_at": now}
        )
        _audit(organization.pk, by, "card.kept", before=str(before or ""), after=str(after), now=now)


def _written_on(session: StripeSession) -> CardVisit | None:
    """The visit by what we wrote on the session, where a webhook was faster than our storing."""
    try:
        return CardVisit.objects.filter(pk=UUID(session.reference)).first()
    except ValueError:
        return None


def _keep(visit: CardVisit, seen: StripeSession, gateway: StripeGateway, now: datetime) -> bool:
    assert seen.payment_method_id is not None
    customer_id = StripeCustomer.objects.get(pk=visit.organization_id).customer_id
    gateway.set_default_payment_method(customer_id, seen.payment_method_id, f"card:{visit.pk}:default")
    card = gateway.get_card(seen.payment_method_id)
    note_card(organization=visit.organization, card=card, by=visit.started_by, now=now)
    return _end(visit, VisitState.COMPLETE, now)


def _end(visit: CardVisit, state: VisitState, now: datetime) -> bool:
    open_ones = CardVisit.objects.filter(pk=visit.pk, state=VisitState.OPEN)
    open_ones.update(state=state, url="", finished_at=now)
    return True


def _audit(organization_id: UUID, by: str, action: str, *, before: str, after: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=organization_id,
        actor=by,
        action=action,
        subject="card on file",
        before={"card": before},
        after={"card": after},
        at=now,
    )
