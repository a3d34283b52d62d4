"""Files by which the operator's bank sends payouts: made once of what waits, and the same bytes ever after.

A payout by bank that is on its way stands in one file at most, so that it cannot be sent twice by loading two files.
What a bank would send back is left out and named with the reason; it is sent by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import Payout, PayoutFile, PayoutFilePart, PayoutMethod, PayoutState
from billing.money import exact_sum, round_to_minor
from billing.statements.pain import SEPA_AMOUNT_MAX, Address, Holder, Order, Transfer, is_sepa, write_pain
from billing.statements.paying_out import NoPayout, WrongPayout
from tenants.models import AuditEntry, Organization
from tenants.profiles import profile_of
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import BillingProfile

PREFIX = "PF-"
TRANSFERS_MAX = 1_000


class Lacking(StrEnum):
    """Why a payout cannot be in a file."""

    IBAN = "iban"
    BIC = "bic"
    LIMIT = "limit"
    """It is more than one transfer of SEPA can be of."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a currency to be put into a file, and whose payouts are left out and why, by name."""

    currency: str
    count: int
    amount: Decimal
    left_out: tuple[tuple[str, Lacking], ...]


def waiting_payouts(operator: Organization) -> list[Waiting]:
    """Return what waits to be sent from an operator's account, by currency."""
    payer = profile_of(operator)
    found: dict[str, list[Payout]] = {}
    for payout in _waiting().order_by("currency", "created_at", "pk"):
        found.setdefault(payout.currency, []).append(payout)
    profiles = _profiles([one for rows in found.values() for one in rows])
    return [_said(currency, rows, payer, profiles) for currency, rows in found.items()]


@transaction.atomic
def make_file(*, operator: Organization, currency: str, by: str, now: datetime) -> PayoutFile:
    """Put every payout that waits in a currency into one file. Raises `NoPayout`, and `WrongPayout` without an IBAN.

    Nothing is booked: a payout is paid once a person, or the bank's statement, says so.
    """
    # One file is made at a time: whoever asks beside waits, and finds nothing left.
    Organization.objects.select_for_update(no_key=True).get(pk=operator.pk)
    payer = profile_of(operator)
    if not payer.iban:
        raise WrongPayout(sentence("iban: the operator's billing profile has none to pay from."), field="iban")
    waiting = _waiting().filter(currency=currency).select_for_update(of=("self",))
    rows = list(waiting.order_by("created_at", "pk")[:TRANSFERS_MAX])
    profiles = _profiles(rows)
    chosen = [one for one in rows if _lacking(one, payer, profiles[one.provider_id]) is None]
    if not chosen:
        raise NoPayout(
            sentence(
                "No payout in %(currency)s by bank waits for a file that has an IBAN, and outside SEPA a BIC, to go "
                "to.",
                currency=currency,
            )
        )
    number = f"{PREFIX}{PayoutFile.objects.count() + 1:04}"
    order = Order(
        message_id=number,
        made_at=now,
        execute_on=now.date(),
        payer=_holder(payer),
        currency=currency,
        transfers=tuple(_transfer(one, profiles[one.provider_id]) for one in chosen),
    )
    body = write_pain(order)
    made = PayoutFile.objects.create(
        number=number,
        currency=currency,
        transfers=len(chosen),
        control_sum=order.control_sum,
        body=body,
        sha256=sha256(body).hexdigest(),
        made_by=by,
        made_at=now,
    )
    PayoutFilePart.objects.bulk_create([PayoutFilePart(payout=one, file=made) for one in chosen])
    AuditEntry.objects.create(
        organization=operator,
        actor=by,
        action="payout.file_made",
        subject=f"payout file {number}",
        after={"currency": currency, "transfers": len(chosen), "sum": str(order.control_sum), "sha256": made.sha256},
        at=now,
    )
    return made


def _transfer(payout: Payout, payee: BillingProfile) -> Transfer:
    return Transfer(
        # Numbers of payouts are each provider's own; this one is unique and comes back on the bank's statement.
        end_to_end_id=payout.pk.hex,
        to=_holder(payee),
        amount=round_to_minor(payout.amount, payout.currency),
        words=f"{payout.number} {payout.provider.name}",
    )


def _waiting() -> QuerySet[Payout]:
    """Payouts by bank on their way that are in no file."""
    return Payout.objects.filter(
        method=PayoutMethod.BANK, state=PayoutState.IN_TRANSIT, file_part__isnull=True
    ).select_related("provider")


def _profiles(rows: list[Payout]) -> Mapping[UUID, BillingProfile]:
    return {one.provider_id: profile_of(one.provider) for one in rows}


def _lacking(payout: Payout, payer: BillingProfile, payee: BillingProfile) -> Lacking | None:
    """Why a payout goes by hand, None if a file can have it. Only inside SEPA a bank finds the payee's bank itself."""
    if not payee.iban:
        return Lacking.IBAN
    if not is_sepa(payout.currency, payer.iban, payee.iban):
        return None if payee.bic else Lacking.BIC
    return Lacking.LIMIT if payout.amount > SEPA_AMOUNT_MAX else None


def _holder(profile: BillingProfile) -> Holder:
    address = Address(tuple(profile.address_lines), profile.postcode, profile.city, profile.country)
    return Holder(profile.legal_name, profile.iban.replace(" ", ""), profile.bic.replace(" ", ""), address)


def _said(currency: str, rows: list[Payout], payer: BillingProfile, profiles: Mapping[UUID, BillingProfile]) -> Waiting:
    ready, left_out = [], set()
    for one in rows:
        lacking = _lacking(one, payer, profiles[one.provider_id])
        if lacking is None:
            ready.append(one)
        else:
            left_out.add((one.provider.name, lacking))
    return Waiting(currency, len(ready), exact_sum(one.amount for one in ready), tuple(sorted(left_out)))
