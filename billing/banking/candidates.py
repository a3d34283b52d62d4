"""What a movement could pay, from stored rows: the invoices that its words name, and those that are owed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from billing.banking.matching import Candidate, Incoming, propose
from billing.dues import with_dues
from billing.issuing import NUMBER_DIGITS_MIN
from billing.models import BankMatch, CollectivePart, CollectiveSequence, Invoice, InvoiceState, IssuerSequence
from billing.number_series import prefixes_before
from billing.payment_references import numbers_named
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from billing.banking.matching import Proposal
    from billing.models import BankLine

PAYABLE: Final = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)
OWED_MAX: Final = 2_000
"""Open invoices that are looked through for an amount, those due first."""
_CANDIDATE: Final[Sequence[str]] = ("pk", "tenant_id", "tenant__name", "currency", "left_amount", "due_at")
"""What `Candidate` has of an invoice, in its order."""


def proposals_for(line: BankLine, left: Decimal, *, lock: bool = False) -> tuple[Proposal, ...]:
    """Return what the part of a movement that is left could pay, the best first; without it, nothing.

    With `lock` the invoices that its words name are locked, in the order of their keys, before they are read.
    """
    if left <= 0:
        return ()
    incoming = Incoming(left, line.currency, line.payer, line.payer_account)
    named = _named(line, lock=lock)
    owed = [] if named else _owed(line)
    known = _accounts_before(line) if owed else {}
    candidates = [replace(one, accounts=known.get(one.tenant_id, one.accounts)) for one in owed] if known else owed
    return propose(incoming, [_candidate(one) for one in named], candidates)


def _named(line: BankLine, *, lock: bool) -> Sequence[Invoice]:
    sequence = IssuerSequence.objects.filter(issuer=line.account.provider_id).first()
    if sequence is None:
        return ()
    numbers = _numbers_in(line, sequence.prefix)
    of_collectives = _of_collectives(line)
    if not numbers and not of_collectives:
        return ()
    named = Q(number__in=numbers) | Q(pk__in=of_collectives)
    found = Invoice.objects.filter(named, issuer=line.account.provider_id).order_by("pk")
    if lock:
        list(found.select_for_update().values_list("pk"))
    return list(_with_names(found))


def _of_collectives(line: BankLine) -> Sequence[UUID]:
    """The invoices that the collective invoices are of which the payer's words name."""
    sequence = CollectiveSequence.objects.filter(issuer=line.account.provider_id).first()
    if sequence is None:
        return ()
    numbers = _numbers_in(line, sequence.prefix)
    parts = CollectivePart.objects.filter(collective__issuer=line.account.provider_id, collective__number__in=numbers)
    return list(parts.values_list("invoice_id", flat=True))


def _numbers_in(line: BankLine, prefix: str) -> Sequence[str]:
    """The numbers that the payer's words name, of the issuer's series and of those before it."""
    texts = (line.structured, line.text, line.end_to_end)
    return [
        number
        for each in (prefix, *prefixes_before(prefix))
        for number in numbers_named(prefix=each, digits_min=NUMBER_DIGITS_MIN, texts=texts)
    ]


def _owed(line: BankLine) -> Sequence[Candidate]:
    """Return what is owed, read as values: most of the time went into making an object of each of two thousand."""
    found = with_dues(
        Invoice.objects.filter(issuer=line.account.provider_id, state__in=PAYABLE, currency=line.currency)
    ).filter(Q(("left_amount__gt", 0)))  # an annotation, which the type does not know
    rows = found.order_by("due_at", "pk").values_list(*_CANDIDATE)
    with within_own(line.account.provider_id, "what is paid, credited and written off of an invoice is its issuer's"):
        return [Candidate(*row) for row in rows[:OWED_MAX]]


def _with_names(found: QuerySet[Invoice]) -> QuerySet[Invoice]:
    return with_dues(found.select_related("tenant"))


def _accounts_before(line: BankLine) -> Mapping[UUID, frozenset[str]]:
    """Which tenants' invoices this very payer's account has paid before."""
    if not line.payer_account:
        return {}
    before = BankMatch.objects.filter(
        ~Q(tenant=None),
        line__account__provider=line.account.provider_id,
        line__payer_account=line.payer_account,
        unmatch__isnull=True,
    )
    tenants: Iterable[UUID | None] = before.values_list("tenant_id", flat=True).distinct()
    return {tenant: frozenset([line.payer_account]) for tenant in tenants if tenant is not None}


def _candidate(invoice: Invoice) -> Candidate:
    left: Decimal = getattr(invoice, "left_amount")  # noqa: B009  an annotation, which the type does not know
    assert invoice.due_at is not None
    return Candidate(
        id=invoice.pk,
        tenant_id=invoice.tenant_id,
        tenant=invoice.tenant.name,
        currency=invoice.currency,
        left=left if invoice.state in PAYABLE else Decimal(0),
        due_at=invoice.due_at,
    )
