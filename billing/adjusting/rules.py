"""What a provider wants of its closing, with defaults where it said nothing; and approving what is to be issued."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from billing.models import (
    BACK_BILLING_MONTHS,
    BillingPeriod,
    Contract,
    Invoice,
    InvoiceState,
    IssuingRule,
    PeriodState,
)
from billing.money import round_to_minor
from billing.periods import months_later
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

BACK_BILLING_MONTHS_MAX = 120


class WrongIssuingRule(Problem):
    """What was asked of drafts or of issuing makes no sense."""

    status = 422
    code = "wrong_issuing"
    title = "This cannot be asked of drafts or of issuing"


class InvoiceDraftNotReady(Problem):
    """The draft is not one that waits for an approval."""

    status = 409
    code = "invoice_draft_not_ready"
    title = "This draft does not wait for an approval"


class InvoiceDraftChanged(Problem):
    """The draft comes to something else than what is approved."""

    status = 409
    code = "invoice_draft_changed"
    title = "The invoice draft comes to something else by now"


def issuing_rule(provider_id: UUID) -> IssuingRule:
    """Return the rule of a provider; not stored where it is the default."""
    stored = IssuingRule.objects.filter(pk=provider_id).first()
    return stored or IssuingRule(provider_id=provider_id, back_billing_months=BACK_BILLING_MONTHS)


@transaction.atomic
def set_issuing_rule(
    *, provider: Organization, back_billing_months: int | None, approves: bool, actor: str, now: datetime
) -> IssuingRule:
    """Store what a provider wants of its closing, from now on."""
    assert back_billing_months is None or 0 <= back_billing_months <= BACK_BILLING_MONTHS_MAX
    Organization.objects.select_for_update(no_key=True).get(pk=provider.pk)
    before = issuing_rule(provider.pk)
    rule, _ = IssuingRule.objects.update_or_create(
        provider=provider,
        defaults={"back_billing_months": back_billing_months, "approves": approves, "changed_at": now},
    )
    AuditEntry.objects.create(
        organization=provider,
        actor=actor,
        action="issuing_rule.set",
        subject=f"organization {provider.slug}",
        before=_said(before),
        after=_said(rule),
        at=now,
    )
    return rule


def _said(rule: IssuingRule) -> dict[str, object]:
    return {"back_billing_months": rule.back_billing_months, "approves": rule.approves}


def upward_until(*, period: BillingPeriod) -> datetime | None:
    """Return from when on more of a closed period is no longer billed; None where it always is."""
    months = issuing_rule(period.contract.provider_id).back_billing_months
    return None if months is None else months_later(period.to_at, months, ZoneInfo(period.contract.time_zone))


def approving(provider_ids: Collection[UUID]) -> set[UUID]:
    """Return which of the providers approve their invoices before they are issued; one query."""
    rules = IssuingRule.objects.filter(pk__in=provider_ids, approves=True)
    return set(rules.values_list("pk", flat=True))


def waits_for_approval() -> Q:
    """Return which periods wait for an approval that their providers still give, and have none."""
    approves = IssuingRule.objects.filter(pk=OuterRef("contract__provider"), approves=True)
    return Q(Exists(approves), ready_at__isnull=False, approved_at__isnull=True)


def is_approved(*, period: BillingPeriod, amount: Decimal, tax: Decimal, now: datetime) -> bool:
    """Whether a complete period of a provider that approves its invoices may be issued at an amount and its tax; if it
    may not, it is marked as waiting for its approval.

    The caller has locked the period. An approval of another amount, or of another tax, is void.
    """
    if period.approved_at is not None and (period.ready_amount, period.ready_tax) == (amount, tax):
        return True
    period.ready_at, period.ready_amount, period.ready_tax = now, amount, tax
    period.approved_at, period.approved_by = None, ""
    # Its taxes are worked out: whatever was waited for is there.
    period.tax_wait = {}
    period.save(update_fields=["ready_at", "ready_amount", "ready_tax", "approved_at", "approved_by", "tax_wait"])
    return False


def _written(amount: Decimal, currency: str) -> str:
    """An amount as people read it, with its currency's decimals; what has more of them as it is."""
    rounded = round_to_minor(amount, currency)
    return str(rounded if rounded == amount else amount)


def _closed_before(period: BillingPeriod) -> InvoiceDraftNotReady:
    """What whoever approves a draft is told that another person, or an earlier click, had issued."""
    issued = Invoice.objects.filter(period=period).exclude(state=InvoiceState.DRAFT).order_by("issued_at").last()
    said: dict[str, str] = {"number": period.contract.number, "from_at": period.from_at.isoformat()}
    if issued is None or not issued.number:
        return InvoiceDraftNotReady(sentence("The period of %(number)s from %(from_at)s is closed.", **said))
    return InvoiceDraftNotReady(
        sentence(
            "The period of %(number)s from %(from_at)s is closed: it was issued as %(invoice)s.",
            invoice=issued.number,
            **said,
        )
    )


@transaction.atomic
def approve_draft(
    *, period_id: UUID, amount: Decimal, actor: str, now: datetime, tax: Decimal | None = None
) -> BillingPeriod:
    """Approve that a complete period is issued at an amount before tax, and with the tax that it came to then, which
    may be named too; approving it again changes nothing.

    Raises `InvoiceDraftNotReady`, `InvoiceDraftChanged` where it comes to something else by now, and
    BillingPeriod.DoesNotExist.
    """
    contract_id = BillingPeriod.objects.values_list("contract_id", flat=True).get(pk=period_id)
    Contract.objects.select_for_update(no_key=True).get(pk=contract_id)
    period = BillingPeriod.objects.select_for_update(of=("self",)).select_related("contract").get(pk=period_id)
    if period.state == PeriodState.CLOSED:
        raise _closed_before(period)
    if period.state != PeriodState.OPEN or period.ready_amount is None:
        raise InvoiceDraftNotReady(
            sentence(
                "The period of %(number)s from %(from_at)s is not ready.",
                number=period.contract.number,
                from_at=period.from_at.isoformat(),
            )
        )
    if period.ready_amount != amount:
        raise InvoiceDraftChanged(
            sentence(
                "It comes to %(ready_amount)s %(currency)s by now; %(amount)s was approved.",
                ready_amount=_written(period.ready_amount, period.contract.currency),
                currency=period.contract.currency,
                amount=_written(amount, period.contract.currency),
            ),
            amount=str(period.ready_amount),
        )
    if tax is not None and period.ready_tax != tax:
        raise InvoiceDraftChanged(
            sentence(
                "Its tax comes to %(ready_tax)s %(currency)s by now; %(tax)s was approved.",
                ready_tax=_written(period.ready_tax or Decimal(0), period.contract.currency),
                currency=period.contract.currency,
                tax=_written(tax, period.contract.currency),
            ),
            tax=str(period.ready_tax),
        )
    if period.approved_at is None:
        period.approved_at, period.approved_by = now, actor
        period.save(update_fields=["approved_at", "approved_by"])
        AuditEntry.objects.create(
            organization_id=period.contract.provider_id,
            actor=actor,
            action="draft.approved",
            subject=f"contract {period.contract.number}",
            before={},
            after={
                "period": period.from_at.isoformat(),
                "amount": str(amount),
                "tax": None if period.ready_tax is None else str(period.ready_tax),
                "currency": period.contract.currency,
            },
            at=now,
        )
    return period
