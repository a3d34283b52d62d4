"""Making statements: once a month per provider and currency, when what the month earned is booked, and never again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from billing.canonical import canonical, digest
from billing.documents.beginning import begin_statement
from billing.models import LedgerEntry, ProviderStatement, StatementEntry, StatementSequence
from billing.statements import gathering
from billing.statements.document import Statement, differences, make_document
from billing.statements.months import next_month, over_at
from billing.telling import tell_statement
from tenants.models import AuditEntry, Organization

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

WAIT = timedelta(days=15)
"""How long after its month a statement waits for periods that are not closed; then it is made and names them."""

NUMBER_DIGITS_MIN = 4
ENTRIES_BATCH_ROWS = 2_000


class StatementBroken(Exception):
    """The statement about to be frozen is not the sum of its own rows."""


@dataclass(frozen=True, slots=True)
class Due:
    """A statement that can be made: whose, in which currency, for which month."""

    provider_id: UUID
    currency: str
    month: date


def due_statements(*, now: datetime) -> list[Due]:
    """Return the statements that have entries to take and wait for nothing more, the earliest months first."""
    found = []
    for provider_id, currency in _accounts_with_unstated():
        last = _last_month(provider_id, currency)
        if last is None or over_at(next_month(last)) <= now:
            months = _months_to_state(provider_id, currency, last)
            for month in months:
                if not is_ready(provider_id=provider_id, currency=currency, month=month, now=now):
                    break
                found.append(Due(provider_id, currency, month))
    return sorted(found, key=lambda due: (due.month, due.provider_id, due.currency))


def _months_to_state(provider_id: UUID, currency: str, last: date | None) -> list[date]:
    """The months that have something to state, in their order; what belongs to a stated one goes to the next."""
    taken = gathering.unstated(provider_id, currency)
    services = gathering.services_of(taken)
    months = {gathering.month_of_taken(one, services) for one in taken}
    return sorted({max(month, next_month(last)) if last else month for month in months})


def is_ready(*, provider_id: UUID, currency: str, month: date, now: datetime) -> bool:
    """Whether a month is over everywhere and all of it is closed, or it waited for that long enough."""
    if now < over_at(month):
        return False
    return now >= over_at(month) + WAIT or not _missing(provider_id, currency, month)


@transaction.atomic
def make_statement(*, provider_id: UUID, currency: str, month: date, now: datetime) -> ProviderStatement | None:
    """Make the statement of a month, once; the same one however often it is asked for.

    1. The provider's sequence is locked, so that its statements follow each other one at a time.
    2. Every entry of its accounts that belongs to the month or one before, and that no statement took, is taken. What
       is booked for the month later stands on the next one.
    3. The document is made from the frozen lines and the ledger, proved from its own rows (`StatementBroken`), and
       stored with its hash.

    None where the month must wait, where a later one was stated already, and where there is nothing to state.
    """
    sequence = _locked_sequence(provider_id)
    made = ProviderStatement.objects.filter(provider_id=provider_id, currency=currency)
    known = made.filter(month=month).first()
    if known is not None or made.filter(month__gt=month).exists():
        return known
    if not is_ready(provider_id=provider_id, currency=currency, month=month, now=now):
        return None
    unstated = gathering.unstated(provider_id, currency)
    services = gathering.services_of(unstated)
    taken = gathering.belonging(unstated, services, month)
    if not taken:
        return None
    last = made.order_by("-month").first()
    provider = Organization.objects.get(pk=provider_id)
    invoice_ids = gathering.invoices_of(taken)
    statement = _stored(
        provider,
        sequence.next_number,
        Statement(
            number=f"{ProviderStatement.PREFIX}{sequence.next_number:0{NUMBER_DIGITS_MIN}d}",
            provider=provider.name,
            currency=currency,
            month=month,
            made_at=now,
            opening=last.closing if last else Decimal(0),
            earned=gathering.earned_of(taken, services),
            **gathering.moved_of(taken, services),
            terms=gathering.terms_of(invoice_ids),
            reconciliation=gathering.reconciled_of(invoice_ids),
            missing=_missing(provider_id, currency, month),
        ),
    )
    entries = [StatementEntry(entry_id=entry_id, statement=statement) for one in taken for entry_id in one.entry_ids]
    StatementEntry.objects.bulk_create(entries, batch_size=ENTRIES_BATCH_ROWS)
    StatementSequence.objects.filter(pk=provider_id).update(next_number=sequence.next_number + 1)
    _note(statement)
    begin_statement(statement, now)
    tell_statement(statement, at=now)
    return statement


def _stored(provider: Organization, sequence: int, said: Statement) -> ProviderStatement:
    document = make_document(said)
    wrong = differences(document)
    if wrong:
        raise StatementBroken(f"{provider.slug} {said.number}: {'; '.join(wrong)}")
    text, sums = canonical(document), said.sums
    return ProviderStatement.objects.create(
        provider=provider,
        sequence=sequence,
        number=said.number,
        currency=said.currency,
        month=said.month,
        made_at=said.made_at,
        opening=said.opening,
        earned=sums["net"],
        **{name: sums[name] for name in ("tax", "deposit", "received", "moved", "paid_out", "closing")},
        document=text,
        sha256=digest(text),
    )


def _note(statement: ProviderStatement) -> None:
    AuditEntry.objects.create(
        organization_id=statement.provider_id,
        actor="statements",
        action="statement.made",
        subject=f"statement {statement.number}",
        after={"month": f"{statement.month:%Y-%m}", "closing": str(statement.closing), "currency": statement.currency},
        at=statement.made_at,
    )


def _missing(provider_id: UUID, currency: str, month: date) -> Sequence[dict[str, str]]:
    return [
        *gathering.open_periods(provider_id, currency, month),
        *gathering.unstored_periods(provider_id, currency, month),
    ]


def _locked_sequence(provider_id: UUID) -> StatementSequence:
    StatementSequence.objects.bulk_create([StatementSequence(provider_id=provider_id)], ignore_conflicts=True)
    return StatementSequence.objects.select_for_update().get(pk=provider_id)


def _accounts_with_unstated() -> list[tuple[UUID, str]]:
    """Providers and currencies with entries that no statement took."""
    rows = LedgerEntry.objects.filter(
        account__kind__in=gathering.OWED_KINDS,
        account__organization_id=F("posting__provider_id"),
        account__organization__is_provider=True,
        statement_entry__isnull=True,
    )
    found = rows.values_list("posting__provider_id", "currency").distinct()
    return sorted(found, key=lambda one: (str(one[0]), one[1]))


def _last_month(provider_id: UUID, currency: str) -> date | None:
    made = ProviderStatement.objects.filter(provider_id=provider_id, currency=currency)
    return made.order_by("-month").values_list("month", flat=True).first()
