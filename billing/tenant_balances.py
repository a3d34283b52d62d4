"""Money of a tenant that its provider has and no invoice: what a credit note or a payment left over, until it is used.

One balance per tenant, issuer and currency: what came to one provider pays no other's invoice. It is the sum of its
movements; each is booked on the tenant's `tenant_balance` account, which stands below zero while there is something.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Sum

from billing.ledger import Entry, post
from billing.models import AccountKind, BalanceAccount, BalanceKind, BalanceMovement
from billing.money import round_to_minor
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

CAUSE = "balance"


class BalanceTooLow(Problem):
    """More was asked for than the balance has."""

    status = 409
    code = "balance_too_low"
    title = "The balance does not have that much"


class MovementDiffers(Problem):
    """The key was used before for another movement."""

    status = 409
    code = "movement_differs"
    title = "This was moved before with other contents"


def balance_of(*, tenant_id: UUID, issuer_id: UUID, currency: str) -> Decimal:
    """Return what a tenant has with an issuer, 0 where nothing ever moved."""
    found = BalanceMovement.objects.filter(
        account__tenant_id=tenant_id, account__issuer_id=issuer_id, account__currency=currency
    )
    return found.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


@transaction.atomic
def locked_balance(*, tenant_id: UUID, issuer_id: UUID, currency: str) -> BalanceAccount:
    """Return the account, made on demand, with its row locked until the transaction ends.

    Who needs an invoice's row too locks that one first.
    """
    chosen = BalanceAccount.objects.select_for_update(no_key=True).filter(
        tenant_id=tenant_id, issuer_id=issuer_id, currency=currency
    )
    found = chosen.first()
    if found is None:
        BalanceAccount.objects.bulk_create(
            [BalanceAccount(tenant_id=tenant_id, issuer_id=issuer_id, currency=currency)], ignore_conflicts=True
        )
        found = chosen.get()
    return found


@transaction.atomic
def move_balance(
    *,
    account: BalanceAccount,
    kind: BalanceKind,
    amount: Decimal,
    key: str,
    cause_id: UUID,
    memo: str,
    at: datetime,
    against: Sequence[Entry],
) -> BalanceMovement:
    """Move a locked account by `amount`, above zero for more, and book it once under `key` against other entries.

    `against` sums to `amount`: debits for money that comes. Without it nothing is booked, because the posting `key`
    books the tenant's balance already. The same movement again changes nothing; another one under its key raises
    `MovementDiffers`. Raises `BalanceTooLow` for more than there is.
    """
    known = BalanceMovement.objects.filter(key=key).first()
    if known is not None:
        if (known.account_id, known.kind, known.amount) != (account.pk, kind, amount):
            raise MovementDiffers(
                sentence(
                    "%(key)s moved %(amount)s %(currency)s as %(kind)s.",
                    key=key,
                    amount=known.amount,
                    currency=account.currency,
                    kind=known.kind,
                )
            )
        return known
    stands = balance_of(tenant_id=account.tenant_id, issuer_id=account.issuer_id, currency=account.currency)
    if stands + amount < 0:
        left = str(round_to_minor(stands, account.currency))
        raise BalanceTooLow(
            sentence(
                "The balance is %(left)s %(currency)s; %(value)s are more.",
                left=left,
                currency=account.currency,
                value=-amount,
            ),
            left=left,
        )
    movement = BalanceMovement.objects.create(
        account=account, kind=kind, amount=amount, key=key, cause_id=cause_id, at=at
    )
    if against:
        own = Entry(account.tenant_id, AccountKind.TENANT_BALANCE, account.currency, -amount)
        post(
            key=key,
            cause=CAUSE,
            cause_id=cause_id,
            memo=memo,
            at=at,
            entries=(own, *against),
            provider_id=account.issuer_id,
        )
    return movement
