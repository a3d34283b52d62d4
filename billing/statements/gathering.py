"""Finds what a statement is made of: entries of the provider's accounts that no statement took, and what they mean."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Max, Q, Sum

from billing.models import (
    AccountKind,
    BillingPeriod,
    Contract,
    ContractState,
    CreditMovement,
    Invoice,
    InvoiceLine,
    InvoiceSubline,
    LedgerAccount,
    LedgerEntry,
    PeriodState,
)
from billing.statements.document import Earned, Moved, Reconciled, Row, TermPart
from billing.statements.months import month_of, month_of_period, over_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from django.db.models import QuerySet

CAUSE_INVOICE = "invoice"
CAUSE_CREDIT = "credit_moved"
CAUSE_PAYOUT = "payout"
CAUSE_BANK = "payout_bank"
"""What the operator's bank paid of a payout: between accounts of the operator, and of no concern to a provider."""
PAYABLE, TAX, DEPOSIT = (
    str(kind) for kind in (AccountKind.PROVIDER_PAYABLE, AccountKind.TAX_PAYABLE, AccountKind.DEPOSIT_HELD)
)
FEE = str(AccountKind.OPERATOR_FEE)
PAID_AHEAD = str(AccountKind.PREPAID_CREDIT)
"""What a tenant paid ahead, or was given, is the provider's to serve: as it is drawn it counts as received."""
OF_TENANTS = tuple(
    str(kind)
    for kind in (
        AccountKind.TENANT_RECEIVABLE,
        AccountKind.PREPAID_CREDIT,
        AccountKind.TENANT_BALANCE,
        AccountKind.REFUND_IN_TRANSIT,
    )
)
"""What tenants owe, and what is theirs: until an invoice has it, nobody is owed it but they."""
OF_OPERATOR = (FEE, str(AccountKind.STRIPE_CLEARING), str(AccountKind.PAYOUT_IN_TRANSIT))
"""What the operator has: its fee, and money of the provider that it holds or has sent."""
OWED_KINDS = tuple(kind for kind in AccountKind.values if kind not in (*OF_TENANTS, *OF_OPERATOR))
"""The accounts of a provider that say what it is owed; the rest of each posting is the tenant's or the operator's."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A posting about a provider, with its entries there; `parts` by account kind are above zero where owed to it."""

    posting_id: UUID
    key: str
    cause: str
    cause_id: UUID
    memo: str
    at: datetime
    entry_ids: tuple[UUID, ...]
    parts: Mapping[str, Decimal]

    @property
    def owed(self) -> Decimal:
        """What the provider is owed by it."""
        return sum(self.parts.values(), Decimal(0))

    def part(self, kind: str) -> Decimal:
        """What it is owed on one kind of account."""
        return self.parts.get(kind, Decimal(0))


@dataclass(frozen=True, slots=True)
class Service:
    """Which contract and period a posting is about, and what it is called."""

    kind: str
    number: str
    tenant: str
    contract: str
    time_zone: str
    from_at: datetime
    to_at: datetime


def entries_of(provider_id: UUID, currency: str) -> QuerySet[LedgerEntry]:
    """Return the entries that say what a provider is owed: on its own accounts, and on what tenants paid it ahead."""
    own = Q(account__organization_id=provider_id, account__kind__in=OWED_KINDS)
    return _booked(provider_id, currency).filter(own | Q(account__kind=PAID_AHEAD))


def entries_by_account(provider_id: UUID, currency: str) -> tuple[QuerySet[LedgerEntry], QuerySet[LedgerEntry]]:
    """Return the same entries in two, for sums: those on its own accounts, and those on what tenants paid it ahead.

    Its few accounts are named, so that the database knows that their entries are many and reads them as such.
    """
    own = LedgerAccount.objects.filter(organization=provider_id, kind__in=OWED_KINDS, currency=currency)
    booked = _booked(provider_id, currency)
    return booked.filter(account__in=list(own.values_list("pk", flat=True))), booked.filter(account__kind=PAID_AHEAD)


def _booked(provider_id: UUID, currency: str) -> QuerySet[LedgerEntry]:
    """Return the entries in a provider's book, but for what the operator's bank paid."""
    found = LedgerEntry.objects.filter(posting__provider_id=provider_id, currency=currency)
    return found.exclude(posting__cause=CAUSE_BANK)


def unstated(provider_id: UUID, currency: str) -> list[Taken]:
    """Return the postings about a provider that have entries which no statement took, in their order."""
    return _taken(entries_of(provider_id, currency).filter(statement_entry__isnull=True))


def stated_by(statement_id: UUID) -> list[Taken]:
    """Return the postings with the entries that a statement took, in their order."""
    return _taken(LedgerEntry.objects.filter(statement_entry__statement=statement_id))


def _taken(chosen: QuerySet[LedgerEntry]) -> list[Taken]:
    rows = chosen.order_by("posting__at", "posting_id", "pk").values_list(
        "posting_id",
        "posting__key",
        "posting__cause",
        "posting__cause_id",
        "posting__memo",
        "posting__at",
        "pk",
        "account__kind",
        "amount",
    )
    entries: dict[UUID, list[UUID]] = defaultdict(list)
    parts: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    heads = {}
    for posting_id, key, cause, cause_id, memo, at, entry_id, kind, amount in rows:
        heads[posting_id] = (key, cause, cause_id, memo, at)
        entries[posting_id].append(entry_id)
        parts[posting_id][kind] = parts[posting_id].get(kind, Decimal(0)) - amount
    return [
        Taken(posting_id, *head, tuple(entries[posting_id]), parts[posting_id]) for posting_id, head in heads.items()
    ]


def services_of(taken: Iterable[Taken]) -> dict[UUID, Service]:
    """Return what each posting by which the provider earned is about, by posting."""
    causes: dict[str, dict[UUID, UUID]] = defaultdict(dict)
    for one in taken:
        causes[one.cause][one.cause_id] = one.posting_id
    found: dict[UUID, Service] = {}
    about = ("contract__number", "contract__time_zone", "contract__tenant__name")
    spans = ("period__from_at", "period__to_at")
    invoices = Invoice.objects.filter(pk__in=causes[CAUSE_INVOICE]).values_list("pk", "number", *about, *spans)
    for pk, number, contract, zone, tenant, from_at, to_at in invoices:
        posting_id = causes[CAUSE_INVOICE][pk]
        found[posting_id] = Service(CAUSE_INVOICE, number or "", tenant, contract, zone, from_at, to_at)
    moved = CreditMovement.objects.filter(pk__in=causes[CAUSE_CREDIT]).values_list(
        "pk", "grant", *(f"term__{name}" for name in about), *spans
    )
    for pk, grant, contract, zone, tenant, from_at, to_at in moved:
        found[causes[CAUSE_CREDIT][pk]] = Service("credit", grant, tenant, contract, zone, from_at, to_at)
    return found


def belonging(taken: Iterable[Taken], services: Mapping[UUID, Service], month: date) -> list[Taken]:
    """Return what belongs to a month or one before: by the period it is about, else by when it was booked."""
    return [one for one in taken if month_of_taken(one, services) <= month]


def month_of_taken(one: Taken, services: Mapping[UUID, Service]) -> date:
    """Return the month of a posting."""
    service = services.get(one.posting_id)
    return month_of(one.at) if service is None else month_of_period(service.to_at, service.time_zone)


def open_periods(provider_id: UUID, currency: str, month: date) -> list[dict[str, str]]:
    """Return what of a month, or one before, is not closed yet: contract and period."""
    begun = BillingPeriod.objects.filter(
        contract__provider_id=provider_id,
        contract__currency=currency,
        state=PeriodState.OPEN,
        to_at__lte=over_at(month),
    ).order_by("contract__number", "from_at")
    rows = begun.values_list("contract__number", "contract__time_zone", "from_at", "to_at")
    return [
        {"contract": number, "from_at": from_at.isoformat(), "to_at": to_at.isoformat()}
        for number, zone, from_at, to_at in rows
        if month_of_period(to_at, zone) <= month
    ]


def unstored_periods(provider_id: UUID, currency: str, month: date) -> list[dict[str, str]]:
    """Return the contracts that ran in a month and whose billing periods are not stored that far."""
    contracts = Contract.objects.filter(
        provider_id=provider_id,
        currency=currency,
        from_at__lt=over_at(month),
        state__in=(ContractState.ACTIVE, ContractState.TERMINATED, ContractState.ENDED),
    ).order_by("number")
    found = []
    for number, zone, from_at, ends_at, stored_to in contracts.annotate(stored=Max("periods__to_at")).values_list(
        "number", "time_zone", "from_at", "to_at", "stored"
    ):
        reached = stored_to or from_at
        over = ends_at is not None and reached >= ends_at
        if not over and month_of_period(reached, zone) < month:
            found.append({"contract": number, "from_at": reached.isoformat(), "to_at": ""})
    return found


def earned_of(taken: Sequence[Taken], services: Mapping[UUID, Service]) -> list[Earned]:
    """Return the postings by which the provider earned, each with the operator's fee of it."""
    wanted = {one.posting_id: one for one in taken if one.posting_id in services}
    fees: dict[UUID, Decimal] = defaultdict(Decimal)
    entries = LedgerEntry.objects.filter(posting_id__in=wanted, account__kind=FEE)
    for posting_id, amount in entries.values_list("posting_id", "amount"):
        fees[posting_id] -= amount
    return [
        Earned(
            kind=services[posting_id].kind,
            number=services[posting_id].number,
            tenant=services[posting_id].tenant,
            contract=services[posting_id].contract,
            from_at=services[posting_id].from_at,
            to_at=services[posting_id].to_at,
            booked_at=one.at,
            total=one.part(PAYABLE) + one.part(TAX) + one.part(DEPOSIT) + fees[posting_id],
            deposit=one.part(DEPOSIT),
            fee=fees[posting_id],
            tax=one.part(TAX),
            net=one.part(PAYABLE),
        )
        for posting_id, one in wanted.items()
    ]


def moved_of(taken: Sequence[Taken], services: Mapping[UUID, Service]) -> dict[str, list[Moved]]:
    """Return every other movement: what reached the provider past the operator, corrections and the like, payouts."""
    moved: dict[str, list[Moved]] = {"received": [], "moved": [], "paid_out": []}
    for one in taken:
        amount = one.owed
        if one.posting_id in services:
            amount -= one.part(PAYABLE) + one.part(TAX) + one.part(DEPOSIT)
        if amount:
            where = MOVED_BY.get(one.cause, "moved")
            moved[where].append(Moved(one.cause, one.key, one.memo, one.at, amount))
    return moved


MOVED_BY = {
    CAUSE_PAYOUT: "paid_out",
    "payment": "received",
    "payment_reversal": "received",
    CAUSE_CREDIT: "received",
}
"""Which movements a posting belongs to, by its cause; all others are corrections and the like."""


def invoices_of(taken: Iterable[Taken]) -> list[UUID]:
    """Return the invoices that the postings are of, and those that drawn credit paid."""
    invoices = [one.cause_id for one in taken if one.cause == CAUSE_INVOICE]
    drawn = CreditMovement.objects.filter(pk__in=[one.cause_id for one in taken if one.cause == CAUSE_CREDIT])
    paid = Invoice.objects.filter(period_id__in=drawn.values("period_id"), number__isnull=False)
    return sorted({*invoices, *paid.values_list("pk", flat=True)})


def terms_of(invoice_ids: Sequence[UUID]) -> list[TermPart]:
    """Return the terms on invoices with their rows, from the frozen lines."""
    lines = InvoiceLine.objects.filter(invoice_id__in=invoice_ids)
    about = ("invoice__contract__number", "invoice__tenant__name", "term_ref", "term_kind")
    amounts = lines.values_list(*about).annotate(amount=Sum("amount")).order_by(*about)
    kept = (
        "line__rule",
        "line__model",
        "token_class",
        "context_over",
        "line__unit",
        "unit_price",
        "line__unit_price_unit",
        "line__share_percent",
    )
    rows: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    sums = (
        InvoiceSubline.objects.filter(line__invoice_id__in=invoice_ids)
        .values_list(*(f"line__{name}" for name in about), *kept)
        .annotate(quantity_=Sum("quantity"), base_=Sum("base_amount"), exact_=Sum("exact_amount"))
        .order_by(*(f"line__{name}" for name in about), *kept)
    )
    for contract, tenant, term, kind, *row in sums:
        rows[contract, tenant, term, kind].append(Row(*row))
    return [
        TermPart(contract, tenant, term, kind, amount, tuple(rows[contract, tenant, term, kind]))
        for contract, tenant, term, kind, amount in amounts
    ]


_RECONCILED = """
    SELECT contract.number, evidence.document::jsonb -> 'residuals',
        jsonb_path_query_array(evidence.document::jsonb, '$.terms[*].wordings[*].wording.tolerance_percent')
    FROM billing_invoiceevidence evidence
    JOIN billing_invoice invoice ON invoice.id = evidence.invoice_id
    JOIN billing_contract contract ON contract.id = invoice.contract_id
    WHERE evidence.invoice_id = ANY(%s) ORDER BY contract.number, invoice.number
"""


def reconciled_of(invoice_ids: Sequence[UUID]) -> list[Reconciled]:
    """Return what the witnesses of the invoices' evidence counted, by contract, model and class.

    The tolerance is the smallest that a term of the contract had.
    """
    sums: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    tolerances: dict[str, list[Decimal]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_RECONCILED, [list(invoice_ids)])
        for contract, residuals, agreed in cursor.fetchall():
            tolerances[contract] += [Decimal(percent) for percent in _json(agreed)]
            for one in _json(residuals):
                about = (contract, one["model"], one["class"])
                billed, compared, control = sums.get(about, (0, 0, 0))
                here = int(one["billed"])
                seen = one["control"] is not None
                sums[about] = (
                    billed + here,
                    compared + (here if seen else 0),
                    control + (int(one["control"]) if seen else 0),
                )
    return [
        Reconciled(*about, *counts, min(tolerances[about[0]], default=None)) for about, counts in sorted(sums.items())
    ]


def _json(value: Any) -> list[Any]:
    """A document of a bare cursor comes as text."""
    found: list[Any] = json.loads(value) if isinstance(value, str) else value
    return found or []
