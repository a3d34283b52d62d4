"""Giving unused credit back to who bought it: to the card that paid, or by bank transfer.

What goes back leaves the purchase and stands on the tenant's balance, and in the same transaction leaves that as a
refund: so a refund that does not arrive is money of the tenant again, to be paid out another way or to pay an invoice.

Only what was bought is given back, only what is left of it after everything used so far, and only before it expires.
Of several purchases the newest is given back first, since use takes the oldest first: what is left is the newest's, and
a card that paid lately is the likeliest to take money back.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from django.db import transaction

from billing.corrections.refunds import Order, RefundDiffers, WrongRefund, request_refund, top_up_refundable
from billing.credits import period_open_for
from billing.ledger import Entry
from billing.models import (
    AccountKind,
    BalanceKind,
    Contract,
    CreditMovement,
    MovementKind,
    Refund,
    RefundMethod,
    Term,
    TopUp,
    TopUpState,
)
from billing.money import exact_sum, less, minor_digits
from billing.standing import standing_of
from billing.tenant_balances import locked_balance, move_balance
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.rating.credit import Grant


class MoreThanUnused(Problem):
    """Less than that is left of what was bought, or can go back that way."""

    status = 409
    code = "more_than_unused"
    title = "That much bought credit is not unused"


@dataclass(frozen=True, slots=True)
class Purchase:
    """Credit that was bought: what of it can be given back now at all, and to the card that paid."""

    term_ref: str
    name: str
    bought_at: datetime
    expires_at: datetime | None
    amount: Decimal
    left: Decimal
    to_card: Decimal
    top_up_id: UUID | None

    def by(self, method: RefundMethod) -> Decimal:
        """What can be given back one way."""
        return self.to_card if method == RefundMethod.CARD else self.left


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be given back: of one purchase where one is named."""

    amount: Decimal
    method: RefundMethod
    reason: str
    purchase: str = ""


def parts_of(purchases: Iterable[Purchase], wish: Wish) -> list[tuple[Purchase, Decimal]]:
    """Divide what is to be given back among purchases, the newest first. Raises `MoreThanUnused`, with what is."""
    chosen = [one for one in purchases if wish.purchase in {"", one.name} and one.by(wish.method) > 0]
    rest, parts = wish.amount, []
    for one in sorted(chosen, key=lambda one: (one.bought_at, one.name), reverse=True):
        part = min(rest, one.by(wish.method))
        if part > 0:
            parts.append((one, part))
            rest = less(rest, part)
    if rest > 0:
        left = exact_sum([one.by(wish.method) for one in chosen])
        raise MoreThanUnused(
            sentence("%(left)s can be given back that way, %(amount)s were asked for.", left=left, amount=wish.amount),
            left=str(left),
        )
    return parts


def purchases_of(contract: Contract, now: datetime) -> list[Purchase]:
    """Return what was bought under a contract and has not expired, in the order in which it is used."""
    top_ups = {one.grant_name: one for one in TopUp.objects.filter(term__contract=contract, state=TopUpState.PAID)}
    return [
        _purchase(each.term_ref, each.grant, each.left_amount, top_ups.get(each.grant.name), contract.currency)
        for each in standing_of(contract, now).grants
        if each.grant.bought and (each.grant.expires_at is None or each.grant.expires_at > now)
    ]


@transaction.atomic
def give_back(*, contract_id: UUID, wish: Wish, by: str, now: datetime, wish_id: UUID | None = None) -> list[Refund]:
    """Give unused bought credit back, one refund for each purchase that it is of; the same however often asked by id.

    Booked for each: Dr `prepaid_credit`; Cr `tenant_balance`, and then as every refund. Raises Contract.DoesNotExist,
    `MoreThanUnused`, and for an amount, a reason or a card that makes no refund `WrongRefund` and `CardHasNotPaid`.
    """
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract_id)
    if not wish.amount.is_finite() or wish.amount <= 0:
        raise WrongRefund(
            sentence("amount: expected more than 0, found %(amount)s.", amount=wish.amount), field="amount"
        )
    chosen = wish_id or new_id()
    known = list(Refund.objects.filter(pk__in=_ids(contract, chosen)).order_by("pk"))
    if known:
        if exact_sum([one.amount for one in known]) != wish.amount or known[0].method != wish.method:
            raise RefundDiffers(
                sentence(
                    "It was asked for at %(requested_at)s with another amount or way.",
                    requested_at=known[0].requested_at.isoformat(),
                )
            )
        return known
    parts = parts_of(purchases_of(contract, now), wish)
    made = [_return(contract, one, part, wish, uuid5(chosen, one.name), by, now) for one, part in parts]
    AuditEntry.objects.create(
        organization_id=contract.provider_id,
        actor=by,
        action="credit.returned",
        subject=f"contract {contract.number}",
        after={
            "currency": contract.currency,
            "method": str(wish.method),
            "reason": wish.reason,
            "purchases": {one.name: str(part) for one, part in parts},
        },
        at=now,
    )
    return made


def _ids(contract: Contract, chosen: UUID) -> list[UUID]:
    names = CreditMovement.objects.filter(term__contract=contract, kind=MovementKind.RETURNED)
    return [uuid5(chosen, name) for name in names.values_list("grant", flat=True).distinct()]


def _return(  # noqa: PLR0917  who asked for what of which purchase
    contract: Contract, one: Purchase, part: Decimal, wish: Wish, refund_id: UUID, by: str, now: datetime
) -> Refund:
    account = locked_balance(tenant_id=contract.tenant_id, issuer_id=contract.provider_id, currency=contract.currency)
    moved = CreditMovement.objects.create(
        term=Term.objects.get(contract=contract, ref=one.term_ref),
        grant=one.name,
        period=period_open_for(contract),
        kind=MovementKind.RETURNED,
        amount=part,
        at=now,
        reference=f"refund:{refund_id}",
    )
    move_balance(
        account=account,
        kind=BalanceKind.UNUSED_CREDIT,
        amount=part,
        key=f"credit:{moved.pk}:returned",
        cause_id=moved.pk,
        memo=f"Credit {one.name} given back",
        at=now,
        against=(Entry(contract.tenant_id, AccountKind.PREPAID_CREDIT, contract.currency, part),),
    )
    top_up_id = one.top_up_id if wish.method == RefundMethod.CARD else None
    order = Order(part, wish.method, wish.reason, top_up_id=top_up_id)
    return request_refund(account_id=account.pk, order=order, by=by, now=now, refund_id=refund_id)


def _purchase(term_ref: str, grant: Grant, left: Decimal, top_up: TopUp | None, currency: str) -> Purchase:
    whole = max(Decimal(0), left).quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding="ROUND_DOWN")
    return Purchase(
        term_ref=term_ref,
        name=grant.name,
        bought_at=grant.from_at,
        expires_at=grant.expires_at,
        amount=grant.amount,
        left=whole,
        to_card=min(whole, top_up_refundable(top_up)) if top_up else Decimal(0),
        top_up_id=top_up.pk if top_up else None,
    )
