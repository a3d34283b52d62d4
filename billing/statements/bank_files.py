"""Files by which the operator's bank sends payouts: made once of what waits, and the same bytes ever after.

A payout by bank that is on its way stands in one file at most, so that it cannot be sent twice by loading two files.
What has no IBAN to go to is left out and named; it is sent by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import Payout, PayoutFile, PayoutFilePart, PayoutMethod, PayoutState
from billing.money import exact_sum, round_to_minor
from billing.statements.pain import SEPA_AMOUNT_MAX, SEPA_CURRENCY, Holder, Order, Transfer, write_pain
from billing.statements.paying_out import NoPayout, WrongPayout
from tenants.models import AuditEntry, Organization
from tenants.profiles import profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import BillingProfile

PREFIX = "PF-"
TRANSFERS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a currency to be put into a file, and who has no IBAN to send it to."""

    currency: str
    count: int
    amount: Decimal
    without_iban: tuple[str, ...]


def waiting_payouts() -> list[Waiting]:
    """Return what waits, by currency."""
    found: dict[str, list[Payout]] = {}
    for payout in _waiting().order_by("currency", "created_at", "pk"):
        found.setdefault(payout.currency, []).append(payout)
    profiles = _profiles([one for rows in found.values() for one in rows])
    return [_said(currency, rows, profiles) for currency, rows in found.items()]


@transaction.atomic
def make_file(*, operator: Organization, currency: str, by: str, now: datetime) -> PayoutFile:
    """Put every payout that waits in a currency into one file. Raises `NoPayout`, and `WrongPayout` without an IBAN.

    Nothing is booked: a payout is paid once a person, or the bank's statement, says so.
    """
    # One file is made at a time: whoever asks beside waits, and finds nothing left.
    Organization.objects.select_for_update(no_key=True).get(pk=operator.pk)
    payer = profile_of(operator)
    if not payer.iban:
        raise WrongPayout("iban: the operator's billing profile has none to pay from.", field="iban")
    rows = list(
        _waiting()
        .filter(currency=currency)
        .select_for_update(of=("self",))
        .order_by("created_at", "pk")[:TRANSFERS_MAX]
    )
    profiles = _profiles(rows)
    chosen = [one for one in rows if profiles[one.provider_id].iban and _fits(one)]
    if not chosen:
        raise NoPayout(f"No payout in {currency} by bank waits for a file that has an IBAN to go to.")
    number = f"{PREFIX}{PayoutFile.objects.count() + 1:04}"
    order = Order(
        message_id=number,
        made_at=now,
        execute_on=now.date(),
        payer=_holder(payer),
        currency=currency,
        transfers=tuple(
            Transfer(
                # Numbers of payouts are each provider's own; this one is unique and comes back on the bank's statement.
                end_to_end_id=one.pk.hex,
                to=_holder(profiles[one.provider_id]),
                amount=round_to_minor(one.amount, currency),
                words=f"{one.number} {one.provider.name}",
            )
            for one in chosen
        ),
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


def _waiting() -> QuerySet[Payout]:
    """Payouts by bank on their way that are in no file."""
    return Payout.objects.filter(
        method=PayoutMethod.BANK, state=PayoutState.IN_TRANSIT, file_part__isnull=True
    ).select_related("provider")


def _profiles(rows: list[Payout]) -> Mapping[UUID, BillingProfile]:
    return {one.provider_id: profile_of(one.provider) for one in rows}


def _fits(payout: Payout) -> bool:
    """What is more than a bank takes in one transfer goes by hand."""
    return payout.currency != SEPA_CURRENCY or payout.amount <= SEPA_AMOUNT_MAX


def _holder(profile: BillingProfile) -> Holder:
    return Holder(profile.legal_name, profile.iban.replace(" ", ""), profile.bic.replace(" ", ""))


def _said(currency: str, rows: list[Payout], profiles: Mapping[UUID, BillingProfile]) -> Waiting:
    ready = [one for one in rows if profiles[one.provider_id].iban]
    lacking = sorted({one.provider.name for one in rows if not profiles[one.provider_id].iban})
    return Waiting(currency, len(ready), exact_sum(one.amount for one in ready), tuple(lacking))
