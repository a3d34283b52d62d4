"""Collecting issued invoices through Stripe: a state machine over rows that a sweep drives, one step at a time.

A row is claimed by pushing its `next_try_at` forward, so one worker wins and no lock is held over the network. The
claim is a lease: a worker that dies loses it when the instant comes, and a result is stored only while the lease
still stands. That two workers could meet on a row all the same does no harm: every call goes through a stored intent
with a deterministic key (`billing.stripe_intents`).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from billing.collecting.notices import write_notice
from billing.models import (
    Collection,
    CollectionNotice,
    Invoice,
    InvoiceState,
    Settlement,
    SettlementState,
)
from billing.settlement_end import close, withdraw
from billing.settlement_steps import (
    RESOURCE_MISSING,
    STEPS,
    DraftThrownAway,
    NeedsPerson,
    Next,
    Work,
)
from billing.states import in_state
from billing.stripe_amounts import AmountNotRepresentable
from billing.stripe_answers import StripeRefused, StripeUnavailable
from billing.stripe_results import sound_alarm
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway

logger = logging.getLogger(__name__)

LEASE_S = 300
BACKOFF_FIRST_S = 5
BACKOFF_MAX_S = 900
ERROR_CHARACTERS_MAX = 500
WOKEN_MAX = 500
CARD_KEPT = "card kept"
"""Who has invoices charged again as a card is left, in the audit log."""
ACTIVE = tuple(STEPS)
BEFORE_FINALIZING = (
    SettlementState.CUSTOMER,
    SettlementState.DRAFT,
    SettlementState.LINES,
    SettlementState.GUARD,
    SettlementState.FINALIZE,
)
RETRYABLE = (SettlementState.FAILED, SettlementState.WAIT, SettlementState.ACTION)
OWED = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


class NotRetryable(Problem):
    """The settlement is not in a state from which a person can try again."""

    status = 409
    code = "settlement_not_retryable"
    title = "There is nothing to try again"


def due_settlements(*, now: datetime, limit: int) -> list[UUID]:
    """Return the settlements whose time has come, the longest waiting first."""
    due = Settlement.objects.filter(state__in=ACTIVE, next_try_at__lte=now)
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def wake_refused(*, now: datetime) -> int:
    """Have invoices that no card has paid charged with one that was left since; how many invoices that were.

    What is refused again is told of again, so that it waits for another card then.
    """
    last = CollectionNotice.objects.filter(invoice=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
    refused = Settlement.objects.filter(
        state__in=(SettlementState.WAIT, SettlementState.ACTION),
        invoice__state=InvoiceState.ISSUED,
        invoice__contract__collection=Collection.CHARGE_AUTOMATICALLY,
    ).exclude(last_error="")
    newer = refused.annotate(told_at=Subquery(last)).filter(invoice__tenant__card_on_file__kept_at__gt=F("told_at"))
    woken = 0
    for invoice_id in newer.order_by("pk").values_list("pk", flat=True)[:WOKEN_MAX]:
        with suppress(NotRetryable):
            retry_settlement(invoice_id=invoice_id, actor=CARD_KEPT, now=now)
            woken += 1
    return woken


def settle(*, invoice_id: UUID, gateway: StripeGateway, now: datetime) -> bool:
    """Claim a due settlement, take its next step and store what came of it; whether another step is due at once.

    False where another worker has the row, where it must wait, and where it is done. A failure of Stripe is stored
    on the row: unavailability is tried again later, for as long as it lasts; a refusal stops it for a person.
    """
    claimed = _claim(invoice_id=invoice_id, now=now)
    if claimed is None:
        return False
    work = Work(
        settlement=claimed,
        invoice=Invoice.objects.select_related("tenant", "contract").get(pk=invoice_id),
        gateway=gateway,
        now=now,
    )
    try:
        following = _next(work)
    except StripeUnavailable as error:
        _try_later(work, error)
        return False
    except (NeedsPerson, StripeRefused) as error:
        _stop(work, error)
        return False
    if following is None:
        return False
    return _store(work, following) and following.state in ACTIVE and following.next_try_at <= now


def retry_settlement(*, invoice_id: UUID, actor: str, now: datetime) -> Settlement:
    """Let a stopped collection go on, or a declined card be charged again; `actor` is who asks.

    Raises `NotRetryable` from any state but failed, wait and action, and Settlement.DoesNotExist.
    """
    with transaction.atomic():
        settlement = Settlement.objects.select_for_update().get(pk=invoice_id)
        if settlement.state not in RETRYABLE:
            raise NotRetryable(
                sentence("The settlement is in state %(state)s.", state=in_state(settlement.state)),
                state=settlement.state,
            )
        invoice = Invoice.objects.select_related("contract").get(pk=invoice_id)
        before, settlement.state = settlement.state, _resumed(settlement, invoice)
        settlement.attempts, settlement.next_try_at, settlement.updated_at = 0, now, now
        settlement.save(update_fields=["state", "attempts", "next_try_at", "updated_at"])
        AuditEntry.objects.create(
            organization_id=invoice.issuer_id,
            actor=actor,
            action="settlement.retried",
            subject=f"invoice {invoice.number}",
            before={"state": before, "error": settlement.last_error},
            after={"state": settlement.state},
            at=now,
        )
        return settlement


def _resumed(settlement: Settlement, invoice: Invoice) -> SettlementState:
    """Every step finds what it had done, so a stopped one goes on from the first step that may be undone."""
    if settlement.state == SettlementState.FAILED:
        return SettlementState.LINES if settlement.stripe_invoice_id else SettlementState.CUSTOMER
    by_card = invoice.contract.collection == Collection.CHARGE_AUTOMATICALLY
    return SettlementState.COLLECT if by_card else SettlementState.WAIT


def _claim(*, invoice_id: UUID, now: datetime) -> Settlement | None:
    """Take the lease on a due row; of many at once, one gets it."""
    lease_until = now + timedelta(seconds=LEASE_S)
    due = Settlement.objects.filter(pk=invoice_id, state__in=ACTIVE, next_try_at__lte=now)
    if not due.update(next_try_at=lease_until):
        return None
    settlement = Settlement.objects.get(pk=invoice_id)
    # Someone may have recorded a payment in between: then the row is theirs, and the next sweep looks again.
    return settlement if settlement.next_try_at == lease_until else None


def _next(work: Work) -> Next | None:
    """Take the step; return where it leads, or None where the books have moved the row on already."""
    if work.invoice.state not in OWED:
        return close(work)
    state = SettlementState(work.settlement.state)
    try:
        return STEPS[state](work)
    except AmountNotRepresentable as error:
        return withdraw(work, error)
    except StripeRefused as refused:
        draft_id = work.settlement.stripe_invoice_id
        if refused.code == RESOURCE_MISSING and draft_id and state in BEFORE_FINALIZING:
            raise DraftThrownAway(f"The draft {draft_id} is gone at Stripe.") from refused
        raise


@transaction.atomic
def _store(work: Work, following: Next) -> bool:
    """Store where a step led, and what the tenant is told of it, if the lease still stands; False if it does not."""
    stored = _update(
        work,
        state=following.state,
        next_try_at=following.next_try_at,
        last_error=following.last_error[:ERROR_CHARACTERS_MAX],
        attempts=0,
        **following.changes,
    )
    if stored and following.told is not None:
        tries = CollectionNotice.objects.filter(invoice=work.invoice).count()
        write_notice(
            invoice=work.invoice,
            kind=following.told,
            attempt=tries + 1,
            reason=following.last_error,
            decline_code=following.decline_code,
            now=work.now,
        )
    return stored


def _try_later(work: Work, error: StripeUnavailable) -> None:
    """Wait twice as long as the last time, at least as long as Stripe asks, and not all rows at the same instant."""
    attempts = work.settlement.attempts + 1
    backoff_s = min(BACKOFF_FIRST_S * 2 ** min(attempts - 1, 16), BACKOFF_MAX_S)
    delay_s = max(backoff_s, error.retry_after_s)
    delay_s += work.invoice.pk.int % (delay_s // 4 + 1)
    # A card's decline stays to be seen while a look at the invoice fails.
    waits = work.settlement.state in (SettlementState.WAIT, SettlementState.ACTION)
    kept = work.settlement.last_error if waits else ""
    _update(
        work,
        attempts=attempts,
        next_try_at=work.now + timedelta(seconds=delay_s),
        last_error=kept or f"Stripe is unavailable: {error}"[:ERROR_CHARACTERS_MAX],
    )
    logger.warning("Invoice %s: Stripe is unavailable (%s); again in %s s", work.invoice.number, error, delay_s)


@transaction.atomic
def _stop(work: Work, error: Exception) -> None:
    """Stop for a person, in the log and the audit log; a draft that was thrown away makes room for the next one.

    An invoice that was paid or voided while the step was under way needs nobody: the next step closes it at Stripe.
    """
    reason = str(error)[:ERROR_CHARACTERS_MAX]
    changes: dict[str, object] = {}
    if isinstance(error, DraftThrownAway):
        changes = {"revision": work.settlement.revision + 1, "stripe_invoice_id": ""}
    was_owed = work.invoice.state in OWED
    if was_owed and not Invoice.objects.filter(pk=work.invoice.pk, state__in=OWED).exists():
        _update(work, next_try_at=work.now, **changes)
    elif _update(work, state=SettlementState.FAILED, last_error=reason, **changes):
        sound_alarm(invoice_id=work.invoice.pk, reason=reason, now=work.now)


def _update(work: Work, **changes: object) -> bool:
    held = Settlement.objects.filter(
        pk=work.invoice.pk, state=work.settlement.state, next_try_at=work.settlement.next_try_at
    )
    return bool(held.update(updated_at=work.now, **changes))
