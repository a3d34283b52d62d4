"""The bank accounts that tenants pay a provider to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db import transaction
from stdnum import iban
from stdnum.exceptions import ValidationError

from billing.models import BankAccount
from billing.money import UnknownCurrency, minor_digits
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

HOLDER_CHARACTERS_MAX = 140
ACCOUNTS_MAX = 50
_OTHER_NUMBER = re.compile(r"[A-Z0-9]{4,34}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_LIKE_IBAN = re.compile(r"[A-Z]{2}\d{2}")


class WrongBankAccount(Problem):
    """A figure of the account cannot be."""

    status = 422
    code = "wrong_bank_account"
    title = "The bank account cannot be taken"


@transaction.atomic
def open_account(
    *, provider: Organization, number: str, currency: str, holder: str, bic: str, by: str, now: datetime
) -> tuple[BankAccount, bool]:
    """Note an account of a provider; return it and whether this call did. An account closed before is open again.

    `number` is an IBAN, with or without blanks, or for banks without it 4 to 34 letters and digits. Raises
    `WrongBankAccount`.
    """
    number, bic, holder = number.replace(" ", "").upper(), bic.replace(" ", "").upper(), " ".join(holder.split())
    _require_plausible(number=number, currency=currency, holder=holder, bic=bic)
    Organization.objects.select_for_update(no_key=True).get(pk=provider.pk)
    found = BankAccount.objects.filter(provider=provider, number=number, currency=currency).first()
    if found is not None and found.closed_at is None:
        return found, False
    if BankAccount.objects.filter(provider=provider, closed_at__isnull=True).count() >= ACCOUNTS_MAX:
        raise WrongBankAccount(sentence("At most %(most)s accounts are open at once.", most=ACCOUNTS_MAX))
    if found is not None:
        BankAccount.objects.filter(pk=found.pk).update(closed_at=None)
        found.closed_at = None
    else:
        found = BankAccount.objects.create(
            provider=provider, number=number, currency=currency, holder=holder, bic=bic, opened_at=now
        )
    _note(found, "bank_account.opened", by, now)
    return found, True


@transaction.atomic
def close_account(*, provider: Organization, account_id: UUID, by: str, now: datetime) -> BankAccount:
    """Take no more statements of an account, and name it to tenants no longer. Closed again changes nothing.

    Raises BankAccount.DoesNotExist.
    """
    found = BankAccount.objects.select_for_update().get(pk=account_id, provider=provider)
    if found.closed_at is None:
        BankAccount.objects.filter(pk=found.pk).update(closed_at=now)
        found.closed_at = now
        _note(found, "bank_account.closed", by, now)
    return found


def account_to_pay(*, provider_id: UUID, currency: str) -> BankAccount | None:
    """Return the account that tenants are told to pay to: the open one of this currency that was noted last."""
    found = BankAccount.objects.filter(provider_id=provider_id, currency=currency, closed_at__isnull=True)
    return found.order_by("-opened_at", "-pk").first()


def printed_number(number: str) -> str:
    """Return an account's number as people read it: an IBAN in fours, any other as it is."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4)) if _LIKE_IBAN.match(number) else number


def _require_plausible(*, number: str, currency: str, holder: str, bic: str) -> None:
    try:
        minor_digits(currency)
    except UnknownCurrency as unknown:
        raise WrongBankAccount(
            sentence("currency: %(unknown)s", unknown=unknown.args[0]), field="currency", example="EUR"
        ) from unknown
    if not 0 < len(holder) <= HOLDER_CHARACTERS_MAX:
        raise WrongBankAccount(
            sentence("holder: expected 1 to %(most)s characters.", most=HOLDER_CHARACTERS_MAX), field="holder"
        )
    if bic and not _BIC.fullmatch(bic):
        raise WrongBankAccount(
            sentence("bic: expected 8 or 11 letters and digits."), field="bic", example="COBADEFFXXX"
        )
    if not _OTHER_NUMBER.fullmatch(number):
        raise WrongBankAccount(sentence("number: expected an IBAN, or 4 to 34 letters and digits."), field="number")
    if _LIKE_IBAN.match(number):
        try:
            iban.validate(number)
        except ValidationError as wrong:
            raise WrongBankAccount(
                sentence("number: no valid IBAN (%(wrong)s).", wrong=wrong), field="number"
            ) from wrong


def _note(account: BankAccount, action: str, by: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=account.provider_id,
        actor=by,
        action=action,
        subject=f"{account.number} {account.currency}",
        after={"holder": account.holder, "bic": account.bic},
        at=now,
    )
