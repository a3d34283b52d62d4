"""The books: balanced postings, idempotent by key, and balances as sums of entries.

Sign convention: **debit is positive, credit is negative**, and the entries of a posting sum to zero per currency
(a deferred trigger refuses any other at commit). So a tenant's receivable stands above zero while the tenant owes,
and a provider's payable, the operator's fee and tax payable stand below zero while they are owed or earned.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.checkpoints import sums
from billing.models import NEVER_A_PROVIDERS, AccountKind, Contract, LedgerAccount, LedgerEntry, LedgerPosting
from tenants.models import Organization
from tenants.problems import Problem

ENTRY_DECIMALS = Decimal("0.0001")


class OperatorMissing(Problem):
    """The contract gives the operator a fee, and there is no operator to book it for."""

    status = 409
    code = "operator_missing"
    title = "There is no operator organization"


class PostingDiffers(Problem):
    """The key was posted before with other entries."""

    status = 409
    code = "posting_differs"
    title = "This was booked before with other amounts"


class PostingOutOfBalance(Problem):
    """The entries do not sum to zero, or nothing is left of them."""

    status = 422
    code = "posting_out_of_balance"
    title = "The entries of a posting must sum to zero"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting: whose account of which kind, in which currency; debit positive, credit negative."""

    organization_id: UUID
    kind: AccountKind
    currency: str
    amount: Decimal


def post(
    *,
    key: str,
    cause: str,
    cause_id: UUID,
    memo: str,
    at: datetime,
    entries: Sequence[Entry],
    provider_id: UUID | None = None,
) -> tuple[LedgerPosting, bool]:
    """Book the entries under `key`, once; return the posting and whether this call made it.

    A posting stands in the book of one provider: of `provider_id`, or else of whose accounts are in it. Give it where
    only accounts of a tenant are.

    Entries of 0 are left out. Accounts are made on demand. A second call with the same key and the same entries
    changes nothing, whoever comes first; with other entries it raises `PostingDiffers`. Raises
    `PostingOutOfBalance` before the database would.
    """
    posting = LedgerPosting(key=key, cause=cause, cause_id=cause_id, memo=memo, at=at, provider_id=provider_id)
    return post_all([(posting, entries)])[0]


@transaction.atomic
def post_all(asked: Sequence[tuple[LedgerPosting, Sequence[Entry]]]) -> list[tuple[LedgerPosting, bool]]:
    """Do `post` for several, each with its key, in few statements; nothing is booked where one of them is refused."""
    sides = {posting.key: [entry for entry in entries if entry.amount] for posting, entries in asked}
    assert len(sides) == len(asked), "each key once"
    for posting, _ in asked:
        _require_balance(posting.key, sides[posting.key])
        posting.provider_id = posting.provider_id or _provider_of(sides[posting.key])
    # ON CONFLICT DO NOTHING waits for a concurrent poster of the same key, so the rows read next are those that won;
    # all wait in one order.
    by_key = sorted((posting for posting, _ in asked), key=lambda posting: posting.key)
    LedgerPosting.objects.bulk_create(by_key, ignore_conflicts=True)
    stored = {posting.key: posting for posting in LedgerPosting.objects.filter(key__in=list(sides))}
    made = {posting.key: stored[posting.key].id == posting.id for posting, _ in asked}
    for key in sorted(sides):
        if not made[key]:
            _require_same(stored[key], sides[key])
    accounts = _accounts([entry for key, entries in sides.items() if made[key] for entry in entries])
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            posting=stored[posting.key],
            account=accounts[entry.organization_id, entry.kind, entry.currency],
            currency=entry.currency,
            amount=entry.amount,
        )
        for posting, _ in asked
        if made[posting.key]
        for entry in sides[posting.key]
    )
    return [(stored[posting.key], made[posting.key]) for posting, _ in asked]


def operator_for(contract: Contract) -> Organization:
    """Return who has the fee of a contract; raises `OperatorMissing`."""
    operator = Organization.objects.filter(is_operator=True).first()
    if operator is None:
        raise OperatorMissing(f"{contract.number} has a fee of {contract.operator_fee_percent} %.")
    return operator


def balance(*, organization_id: UUID, kind: AccountKind, currency: str) -> Decimal:
    """Return the sum of an account's entries; an account that was never used stands at 0."""
    return balances(organization_id=organization_id).get((kind, currency), Decimal(0))


def balances(*, organization_id: UUID) -> Mapping[tuple[AccountKind, str], Decimal]:
    """Return every balance of an organization by account kind and currency."""
    accounts = LedgerAccount.objects.filter(organization_id=organization_id).in_bulk()
    found: dict[tuple[AccountKind, str], Decimal] = {}
    for (account_id, _provider_id), booked in sums(owner_id=organization_id).items():
        key = AccountKind(accounts[account_id].kind), accounts[account_id].currency
        found[key] = found.get(key, Decimal(0)) + booked.balance
    return dict(sorted(found.items()))


def _provider_of(entries: Iterable[Entry]) -> UUID | None:
    """The one organization with accounts in a posting that are a provider's; None where that is not one."""
    providers = {entry.organization_id for entry in entries if entry.kind not in NEVER_A_PROVIDERS}
    return providers.pop() if len(providers) == 1 else None


def _require_balance(key: str, entries: Sequence[Entry]) -> None:
    totals: dict[str, Decimal] = {}
    for entry in entries:
        if entry.amount != entry.amount.quantize(ENTRY_DECIMALS):
            raise PostingOutOfBalance(f"{key}: {entry.amount} has more decimals than the books keep.")
        totals[entry.currency] = totals.get(entry.currency, Decimal(0)) + entry.amount
    if not entries or any(totals.values()):
        found = ", ".join(f"{amount} {currency}" for currency, amount in totals.items()) or "no entries"
        raise PostingOutOfBalance(f"{key}: expected a sum of 0, found {found}.")


def _accounts(entries: Iterable[Entry]) -> dict[tuple[UUID, AccountKind, str], LedgerAccount]:
    wanted = sorted({(entry.organization_id, entry.kind, entry.currency) for entry in entries})
    found = _stored_accounts(wanted)
    missing = [key for key in wanted if key not in found]
    if missing:
        LedgerAccount.objects.bulk_create(
            [LedgerAccount(organization_id=owner, kind=kind, currency=currency) for owner, kind, currency in missing],
            ignore_conflicts=True,
        )
        found = _stored_accounts(wanted)
    return found


def _stored_accounts(
    wanted: Sequence[tuple[UUID, AccountKind, str]],
) -> dict[tuple[UUID, AccountKind, str], LedgerAccount]:
    if not wanted:
        return {}
    owners, kinds, currencies = (set(column) for column in zip(*wanted, strict=True))
    chosen = LedgerAccount.objects.filter(organization_id__in=owners, kind__in=kinds, currency__in=currencies)
    return {(row.organization_id, AccountKind(row.kind), row.currency): row for row in chosen}


def _require_same(stored: LedgerPosting, entries: Sequence[Entry]) -> None:
    booked = sorted(stored.entries.values_list("account__organization_id", "account__kind", "currency", "amount"))
    asked = sorted((entry.organization_id, str(entry.kind), entry.currency, entry.amount) for entry in entries)
    if booked != asked:
        raise PostingDiffers(f"{stored.key} was booked at {stored.at.isoformat()} with other entries.")
