"""The paper of a tenant's account: made when it is asked for, the same bytes each time as long as nothing is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from billing.documents.account_paper import AccountInput, AccountRow, compose_account
from billing.documents.parties import between
from billing.documents.press import CannotPrint, print_paper
from tenants.models import Organization
from tenants.problems import Problem
from tenants.profiles import profile_of
from tenants.sentences import sentence

if TYPE_CHECKING:
    from billing.documents.inputs import Language
    from billing.statements.account import Account

ROWS_MAX = 2_000
"""What is printed; longer accounts are printed in parts, and are whole in the CSV."""


class AccountNotPrintable(Problem):
    """It is too long for a paper, or says something that no installed font can."""

    status = 409
    code = "account_not_printable"
    title = "The account cannot be printed"


@dataclass(frozen=True, slots=True)
class AccountPaper:
    """A PDF with its name and hash."""

    name: str
    body: bytes
    sha256: str


def print_account(tenant: Organization, account: Account, language: Language | None = None) -> AccountPaper:
    """Return the PDF of an account, in the tenant's language where none is asked for. Raises `AccountNotPrintable`.

    It is dated by the end of its days, so that it is a function of what is booked of them.
    """
    if len(account.lines) > ROWS_MAX:
        raise AccountNotPrintable(
            sentence(
                "%(count)s movements: at most %(most)s are printed. Ask for fewer days, or for the CSV.",
                count=len(account.lines),
                most=ROWS_MAX,
            )
        )
    provider = Organization.objects.get(pk=account.party.provider_id)
    parties = between(profile_of(provider), profile_of(tenant))
    first, last = account.from_at.astimezone(UTC).date(), (account.to_at - timedelta(microseconds=1)).astimezone(UTC)
    number = f"{account.party.slug}-{account.party.currency}-{first}-{last.date()}"
    paper = compose_account(
        AccountInput(
            seller=parties.seller,
            buyer=parties.buyer,
            language=language or parties.language,
            number=number,
            currency=account.party.currency,
            first=first,
            last=last.date(),
            opening=account.opening,
            charged=account.charged,
            settled=account.settled,
            closing=account.closing,
            rows=[
                AccountRow(line.at.astimezone(UTC).date(), line.memo, line.reference, line.amount, line.balance)
                for line in account.lines
            ],
        )
    )
    try:
        body = print_paper(paper, issued_at=account.to_at, logo=parties.seller.logo).body
    except CannotPrint as error:
        raise AccountNotPrintable(str(error)) from error
    return AccountPaper(f"account-{number}.pdf", body, sha256(body).hexdigest())
