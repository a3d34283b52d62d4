"""Checkpoints of the ledger: sums up to an entry, kept so that a balance is one of them and what came since.

Entries are summed in the order of their ids, which sort by the time they were made. A checkpoint ends well before
the oldest transaction that still runs, so that no entry can come in behind it; should one try, the database refuses
it. Balances stay sums of entries: a checkpoint holds nothing that `check_books` does not add up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet, Sum

from billing.models import CheckpointBalance, LedgerCheckpoint, LedgerEntry

MARGIN: Final = timedelta(hours=1)
"""How far clocks of two machines may be apart without an entry coming in behind a checkpoint."""
NOTHING: Final = Decimal(0)

OLDEST_RUNNING = "SELECT app_oldest_running()"
TAKE_LOCK = "SELECT pg_advisory_xact_lock(hashtext('forecourt.ledger_checkpoint'))"


@dataclass(frozen=True, slots=True)
class Sums:
    """What was booked on an account: both sides without sign, and in how many entries."""

    debit: Decimal = NOTHING
    credit: Decimal = NOTHING
    entries: int = 0

    @property
    def balance(self) -> Decimal:
        """Debit less credit."""
        return self.debit - self.credit

    def __add__(self, other: Sums) -> Sums:
        """Add what was booked elsewhere."""
        return Sums(self.debit + other.debit, self.credit + other.credit, self.entries + other.entries)


BookAccount = tuple[UUID, UUID | None]
"""An account, and the provider in whose book something is booked on it."""


def sums(
    *,
    owner_id: UUID | None = None,
    account_id: UUID | None = None,
    provider_id: UUID | None = None,
    at: datetime | None = None,
) -> dict[BookAccount, Sums]:
    """Return what was booked on each account in each book up to an instant (included), or altogether.

    Chosen are accounts of an owner, one account, one book, or all. A checkpoint is used if there is one.
    """
    base = _checkpoint(at)
    chosen = {"account__organization_id": owner_id, "account_id": account_id}
    wanted = {name: value for name, value in chosen.items() if value is not None}
    held = {"provider_id": provider_id} if provider_id else {}
    found: dict[BookAccount, Sums] = {}
    if base is not None:
        kept = CheckpointBalance.objects.filter(**wanted, **held, checkpoint=base)
        found = {(row.account_id, row.provider_id): Sums(row.debit, row.credit, row.entries) for row in kept.iterator()}
    since = LedgerEntry.objects.filter(**wanted)
    if provider_id:
        since = since.filter(posting__provider_id=provider_id)
    if base is not None:
        since = since.filter(pk__gt=base.to_entry)
    if at is not None:
        since = since.filter(posting__at__lte=at)
    for key, more in _summed(since).items():
        found[key] = found.get(key, Sums()) + more
    return found


@transaction.atomic
def take_checkpoint(*, now: datetime, margin: timedelta = MARGIN) -> LedgerCheckpoint | None:
    """Sum what was booked since the last checkpoint and store the new sums; None where nothing was."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_LOCK)
        cursor.execute(OLDEST_RUNNING)
        (running_since,) = cursor.fetchone()
    before = _first_id_at(min(now, running_since) - margin)
    last = LedgerCheckpoint.objects.order_by("to_entry").last()
    new = LedgerEntry.objects.filter(pk__lt=before, **({"pk__gt": last.to_entry} if last else {}))
    newest = new.order_by("-pk").first()
    if newest is None:
        return None
    latest_at = max(new.order_by("-posting__at").values_list("posting__at", flat=True)[0], *_latest(last))
    totals = _kept(last)
    for key, more in _summed(new).items():
        totals[key] = totals.get(key, Sums()) + more
    made = LedgerCheckpoint.objects.create(taken_at=now, to_entry=newest.pk, latest_at=latest_at)
    CheckpointBalance.objects.bulk_create(
        [
            CheckpointBalance(
                checkpoint=made,
                account_id=account_id,
                provider_id=provider_id,
                debit=total.debit,
                credit=total.credit,
                entries=total.entries,
            )
            for (account_id, provider_id), total in totals.items()
        ],
        batch_size=2_000,
    )
    return made


def wrong_checkpoints() -> tuple[int, list[str]]:
    """Add up every entry behind each checkpoint again; return how many balances were compared, and which are wrong."""
    wrong: list[str] = []
    looked_at = 0
    for checkpoint in LedgerCheckpoint.objects.order_by("to_entry"):
        kept = _kept(checkpoint)
        summed = _summed(LedgerEntry.objects.filter(pk__lte=checkpoint.to_entry))
        looked_at += len(kept)
        wrong += [
            f"{checkpoint.taken_at.isoformat()} account {key[0]}: {kept.get(key, Sums()).balance} kept, "
            f"{summed.get(key, Sums()).balance} booked"
            for key in sorted(kept.keys() | summed.keys(), key=str)
            if kept.get(key) != summed.get(key)
        ]
    return looked_at, wrong


def _checkpoint(at: datetime | None) -> LedgerCheckpoint | None:
    """The last checkpoint of which every entry counts at an instant."""
    usable = LedgerCheckpoint.objects.all() if at is None else LedgerCheckpoint.objects.filter(latest_at__lte=at)
    return usable.order_by("to_entry").last()


def _latest(last: LedgerCheckpoint | None) -> list[datetime]:
    return [last.latest_at] if last else [datetime.min.replace(tzinfo=UTC)]


def _kept(checkpoint: LedgerCheckpoint | None) -> dict[BookAccount, Sums]:
    if checkpoint is None:
        return {}
    return {(row.account_id, row.provider_id): Sums(row.debit, row.credit, row.entries)
            for row in checkpoint.balances.all()}  # fmt: skip


def _summed(entries: QuerySet[LedgerEntry]) -> dict[BookAccount, Sums]:
    rows = (
        entries.values_list("account_id", "posting__provider_id")
        .annotate(
            debit=Sum("amount", filter=Q(amount__gt=0)), credit=Sum("amount", filter=Q(amount__lt=0)), found=Count("pk")
        )
        .order_by()
    )
    return {
        (account_id, provider_id): Sums(debit or NOTHING, -(credit or NOTHING), found)
        for account_id, provider_id, debit, credit, found in rows
    }


def _first_id_at(at: datetime) -> UUID:
    """The smallest id that a row made at an instant could have (RFC 9562, version 7: milliseconds come first)."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(int=milliseconds << 80)
