"""Taking a bank statement: every movement stored once by the bank's id, what came in booked, outcomes kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from billing.banking.camt import read_camt
from billing.banking.csv_statement import read_csv
from billing.banking.entries import AccountStatement, StatementEntry, UnreadableStatement
from billing.ledger import Entry, post
from billing.models import AccountKind, BankAccount, BankImport, BankLine, BankLineState
from billing.money import minor_digits, round_to_minor
from tenants.ids import new_id
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import Listed, kept, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

FAULTS_MAX: Final = 1_000
"""Kept of one file; the rest is counted."""
CAUSE: Final = "bank_import"
CAMT, CSV = "camt", "csv"
NOON: Final = time(12, tzinfo=UTC)
"""A bank names days without a zone. Noon in UTC is that day almost everywhere."""


class UnreadableBankStatement(Problem):
    """The file is no statement that can be read, or contradicts itself."""

    status = 422
    code = "bank_statement_unreadable"
    title = "The bank statement cannot be read"


class BankAccountUnknown(Problem):
    """The statement is of no open account of the provider."""

    status = 422
    code = "bank_account_unknown"
    title = "The bank account is not known"


@dataclass
class _Outcome:
    """What became of the entries so far."""

    lines: list[BankLine] = field(default_factory=list)
    known: int = 0
    pending: int = 0
    refused: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, place: str, code: str, detail: str) -> None:
        """Count an entry that is not taken, and keep why in words that every reader's language has."""
        self.refused += 1
        if len(self.faults) < FAULTS_MAX:
            said = {"place": kept(place), "detail": kept(detail)}
            self.faults.append({"place": str(place), "code": code, "detail": str(detail), "said": said})


@transaction.atomic
def import_statement(
    *, provider: Organization, content: bytes, name: str, by: str, now: datetime, account_number: str = ""
) -> tuple[BankImport, bool]:
    """Take a statement file of a provider; return what became of it, and whether this call took it.

    A file that begins with `<` is read as camt.053 and names its accounts; any other as CSV of `account_number`.

    1. The same file again changes nothing.
    2. The accounts' rows are locked, so that two files that share a day are taken one after the other.
    3. An entry is known by the bank's own id: stored before as it is here, it is `known`; with other contents it is
       refused as `conflict`. Entries of other accounts, in another currency or unreadable are refused beside the rest.
    4. What came in is booked: the provider's `bank_clearing` debit, `bank_unmatched` credit.

    Raises `UnreadableBankStatement`, and `BankAccountUnknown` where no entry is of an account of the provider.
    """
    digest = hashlib.sha256(content).hexdigest()
    known = BankImport.objects.filter(provider=provider, sha256=digest).first()
    if known is not None:
        return known, False
    kind = CAMT if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else CSV
    statements = _read(content, kind, account_number.replace(" ", "").upper())
    accounts = _locked_accounts(provider, {one.account for one in statements})
    # Who waited for the lock may find that the other one took this very file.
    known = BankImport.objects.filter(provider=provider, sha256=digest).first()
    if known is not None:
        return known, False
    imported = BankImport(pk=new_id(), provider=provider)
    outcome = _Outcome()
    for statement in statements:
        _take(statement, accounts.get(statement.account, ()), imported, outcome, now)
    imported = BankImport.objects.create(
        pk=imported.pk,
        provider=provider,
        kind=kind,
        name=name[:200],
        document=content,
        sha256=digest,
        stored=len(outcome.lines),
        known=outcome.known,
        pending=outcome.pending,
        refused=outcome.refused,
        faults=outcome.faults,
        by=by,
        created_at=now,
    )
    BankLine.objects.bulk_create(outcome.lines)
    _book(imported, outcome.lines, now)
    AuditEntry.objects.create(
        organization=provider,
        actor=by,
        action="bank_statement.imported",
        subject=name[:200] or digest,
        after={"stored": imported.stored, "known": imported.known, "refused": imported.refused, "sha256": digest},
        at=now,
    )
    return imported, True


def booked_at(line: BankLine, now: datetime) -> datetime:
    """Return the instant that stands for a movement's day; never one that is still to come."""
    return min(datetime.combine(line.booked_on, NOON), now)


def _read(content: bytes, kind: str, account_number: str) -> Sequence[AccountStatement]:
    try:
        if kind == CAMT:
            return read_camt(content)
        if not account_number:
            raise UnreadableBankStatement(sentence("account: a CSV file does not say whose it is; name the account."))
        return (read_csv(content, account=account_number),)
    except UnreadableStatement as unreadable:
        raise UnreadableBankStatement(unreadable.args[0]) from unreadable


def _locked_accounts(provider: Organization, numbers: Iterable[str]) -> dict[str, list[BankAccount]]:
    wanted = sorted(set(numbers))
    rows = BankAccount.objects.select_for_update(no_key=True).filter(
        provider=provider, number__in=wanted, closed_at__isnull=True
    )
    found: dict[str, list[BankAccount]] = {}
    for account in rows.order_by("pk"):
        found.setdefault(account.number, []).append(account)
    if not found:
        raise BankAccountUnknown(
            sentence(
                "The file is of account %(wanted)s, which is no open one of %(slug)s: note it first.",
                wanted=", ".join(wanted)[:200],
                slug=provider.slug,
            )
        )
    return found


def _take(
    statement: AccountStatement,
    accounts: Sequence[BankAccount],
    imported: BankImport,
    outcome: _Outcome,
    now: datetime,
) -> None:
    outcome.pending += statement.pending
    for fault in statement.faults:
        outcome.refuse(fault.place, "unreadable", fault.detail)
    by_currency = {account.currency: account for account in accounts}
    stored = _stored_lines(accounts, statement.entries)
    for entry in statement.entries:
        account = by_currency.get(entry.currency)
        problem = _refusal(statement, entry, account, accounts)
        if problem:
            outcome.refuse(entry.place, *problem)
            continue
        assert account is not None
        line = _line(entry, account, imported, now)
        before = stored.get((account.pk, line.reference))
        if before is None:
            stored[account.pk, line.reference] = line
            outcome.lines.append(line)
        elif _says_the_same(before, line):
            outcome.known += 1
        else:
            said = sentence(
                "%(reference)s was stored as %(before)s; here it is %(now)s. Ask the bank.",
                reference=line.reference,
                before=_said(before),
                now=_said(line),
            )
            outcome.refuse(entry.place, "conflict", said)


def _refusal(
    statement: AccountStatement, entry: StatementEntry, account: BankAccount | None, accounts: Sequence[BankAccount]
) -> tuple[str, str] | None:
    if not accounts:
        return "account_unknown", sentence(
            "%(account)s is no open account here: note it, then take the file's rest.", account=statement.account
        )
    if account is None:
        return "wrong_currency", sentence(
            "found %(found)s; the account is kept in %(expected)s.",
            found=repr(entry.currency),
            expected=Listed(each.currency for each in accounts),
        )
    if entry.amount != round(entry.amount, minor_digits(account.currency)):
        return "wrong_amount", sentence(
            "%(amount)s is finer than %(currency)s goes.", amount=entry.amount, currency=account.currency
        )
    if not entry.amount:
        return "wrong_amount", sentence("0 moves nothing.")
    return None


def _stored_lines(
    accounts: Sequence[BankAccount], entries: Sequence[StatementEntry]
) -> dict[tuple[UUID, str], BankLine]:
    rows = BankLine.objects.filter(account__in=accounts, reference__in={entry.reference for entry in entries})
    return {(line.account_id, line.reference): line for line in rows}


def _line(entry: StatementEntry, account: BankAccount, imported: BankImport, now: datetime) -> BankLine:
    return BankLine(
        account=account,
        imported_id=imported.pk,
        reference=entry.reference,
        booked_on=entry.booked_on,
        value_on=entry.value_on,
        amount=entry.amount,
        currency=entry.currency,
        payer=entry.payer,
        payer_account=entry.payer_account,
        structured=entry.structured,
        end_to_end=entry.end_to_end,
        text=entry.text,
        is_return=entry.is_return,
        state=BankLineState.NEW if entry.amount > 0 else BankLineState.OUTGOING,
        created_at=now,
    )


def _said(line: BankLine) -> str:
    return f"{round_to_minor(line.amount, line.currency)} {line.currency} {line.booked_on}"


def _says_the_same(before: BankLine, line: BankLine) -> bool:
    """The day and the amount are what a bank never changes; its words differ from one kind of file to the other."""
    return (before.amount, before.currency, before.booked_on) == (line.amount, line.currency, line.booked_on)


def _book(imported: BankImport, lines: Iterable[BankLine], now: datetime) -> None:
    """Book what came in, one posting for each day and currency: a file has thousands of entries and few days."""
    days: dict[tuple[str, date], list[BankLine]] = {}
    for line in lines:
        if line.amount > 0:
            days.setdefault((line.currency, line.booked_on), []).append(line)
    for (currency, day), received in sorted(days.items()):
        amount = sum((line.amount for line in received), Decimal(0))
        post(
            key=f"bank_import:{imported.pk}:{currency}:{day.isoformat()}",
            cause=CAUSE,
            cause_id=imported.pk,
            memo=f"{len(received)} received on {day.isoformat()}",
            at=booked_at(received[0], now),
            entries=(
                Entry(imported.provider_id, AccountKind.BANK_CLEARING, currency, amount),
                Entry(imported.provider_id, AccountKind.BANK_UNMATCHED, currency, -amount),
            ),
        )
