"""Finds what a statement is made of: entries of the provider's accounts that no statement took, and what they mean."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Max, Sum

from billing.models import (
    AccountKind,
    BillingPeriod,
    Contract,
    ContractState,
    CreditMovement,
    Invoice,
    InvoiceLine,
    InvoiceSubline,
    LedgerEntry,
    PeriodState,
)
from billing.statements.document import Earned, Moved, Reconciled, Row, TermPart
from billing.statements.months import month_of, month_of_period, over_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

CAUSE_INVOICE = "invoice"
CAUSE_CREDIT = "credit_moved"
CAUSE_PAYOUT = "payout"
OWED_KINDS = (AccountKind.PROVIDER_PAYABLE, AccountKind.TAX_PAYABLE)
"""The accounts of a provider whose balance is what it is owed: what it earned, and tax that it hands on."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A posting on the accounts of a provider, with its entries there; `owed` and `tax` are above zero where owed."""

    posting_id: UUID
    key: str
    cause: str
    cause_id: UUID
    memo: str
    at: datetime
    entry_ids: tuple[UUID, ...]
    owed: Decimal
    tax: Decimal


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


def unstated(provider_id: UUID, currency: str) -> list[Taken]:
    """Return the postings on a provider's accounts that have entries which no statement took, in their order."""
    rows = (
        LedgerEntry.objects.filter(
            account__organization_id=provider_id,
            account__currency=currency,
            account__kind__in=OWED_KINDS,
            statement_entry__isnull=True,
        )
        .order_by("posting__at", "posting_id", "pk")
        .values_list(
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
    )
    postings: dict[UUID, list[tuple[UUID, str, Decimal]]] = defaultdict(list)
    heads = {}
    for posting_id, key, cause, cause_id, memo, at, entry_id, kind, amount in rows:
        heads[posting_id] = (key, cause, cause_id, memo, at)
        postings[posting_id].append((entry_id, kind, -amount))
    return [
        Taken(
            posting_id,
            *heads[posting_id],
            tuple(entry_id for entry_id, _kind, _amount in entries),
            _sum(entries, AccountKind.PROVIDER_PAYABLE),
            _sum(entries, AccountKind.TAX_PAYABLE),
        )
        for posting_id, entries in postings.items()
    ]


def _sum(entries: Iterable[tuple[UUID, str, Decimal]], wanted: AccountKind) -> Decimal:
    return sum((amount for _entry, kind, amount in entries if kind == wanted), Decimal(0))


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
    """Return the postings by which the provider earned, each with what the others had of it."""
    wanted = {one.posting_id: one for one in taken if one.posting_id in services}
    others: dict[UUID, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    entries = LedgerEntry.objects.filter(posting_id__in=wanted).exclude(account__kind__in=OWED_KINDS)
    for posting_id, kind, amount in entries.values_list("posting_id", "account__kind", "amount"):
        others[posting_id][kind] -= amount
    return [
        Earned(
            kind=services[posting_id].kind,
            number=services[posting_id].number,
            tenant=services[posting_id].tenant,
            contract=services[posting_id].contract,
            from_at=services[posting_id].from_at,
            to_at=services[posting_id].to_at,
            booked_at=one.at,
            total=one.owed + one.tax + others[posting_id][FEE] + others[posting_id][DEPOSIT],
            deposit=others[posting_id][DEPOSIT],
            fee=others[posting_id][FEE],
            tax=one.tax,
            net=one.owed,
        )
        for posting_id, one in wanted.items()
    ]


FEE, DEPOSIT = str(AccountKind.OPERATOR_FEE), str(AccountKind.DEPOSIT_HELD)


def moved_of(taken: Sequence[Taken], services: Mapping[UUID, Service]) -> tuple[list[Moved], list[Moved]]:
    """Return every other posting: corrections and the like, and payouts."""
    others = [one for one in taken if one.posting_id not in services]
    rows = [(one.cause, Moved(one.cause, one.key, one.memo, one.at, one.owed + one.tax)) for one in others]
    payouts = [row for cause, row in rows if cause == CAUSE_PAYOUT]
    return [row for cause, row in rows if cause != CAUSE_PAYOUT], payouts


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
