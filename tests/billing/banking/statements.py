"""Bank statements for tests: camt.053 files of movements, and the accounts they are of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from billing.banking.accounts import open_account
from billing.banking.importing import import_statement
from billing.models import BankAccount, BankImport, BankLine, IssuerSequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.models import Organization

IBAN = "DE89370400440532013000"
PAYER = "GB29NWBK60161331926819"
DAY = date(2026, 4, 14)
NOW = datetime(2026, 4, 15, 7, tzinfo=UTC)
BY = "petra@example.com"


@dataclass(frozen=True)
class Movement:
    """One entry of a file."""

    amount: str
    text: str = ""
    reference: str = ""
    """The bank's own id."""
    structured: str = ""
    payer: str = "Payer Ltd"
    payer_account: str = PAYER
    day: date = DAY
    currency: str = "USD"
    status: str = "BOOK"


def camt(
    movements: Sequence[Movement], *, iban: str = IBAN, version: str = "02", balances: tuple[str, str] | None = None
) -> bytes:
    """A statement file; `balances` are the amounts at its beginning and end."""
    bals = ""
    for code, amount in zip(("OPBD", "CLBD"), balances or (), strict=False):
        bals += (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(Decimal(amount), 'USD')}"
            f"<Dt><Dt>{DAY}</Dt></Dt></Bal>"
        )
    entries = "".join(_entry(one, version) for one in movements)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>"
        f"{bals}{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _amount(amount: Decimal, currency: str) -> str:
    way = "CRDT" if amount >= 0 else "DBIT"
    return f'<Amt Ccy="{currency}">{abs(amount)}</Amt><CdtDbtInd>{way}</CdtDbtInd>'


def _entry(one: Movement, version: str) -> str:
    name = f"<Nm>{escape(one.payer)}</Nm>"
    new = version >= "08"
    status = f"<Sts><Cd>{one.status}</Cd></Sts>" if new else f"<Sts>{one.status}</Sts>"
    party = "Dbtr" if not one.amount.startswith("-") else "Cdtr"
    words = f"<Ustrd>{escape(one.text)}</Ustrd>" if one.text else ""
    if one.structured:
        words += f"<Strd><CdtrRefInf><Ref>{one.structured}</Ref></CdtrRefInf></Strd>"
    own = f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>" if one.reference else ""
    return (
        f"<Ntry>{_amount(Decimal(one.amount), one.currency)}{status}<BookgDt><Dt>{one.day}</Dt></BookgDt>"
        f"<ValDt><Dt>{one.day}</Dt></ValDt>{own}<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
        f"<RltdPties><{party}>{f'<Pty>{name}</Pty>' if new else name}</{party}>"
        f"<{party}Acct><Id><IBAN>{one.payer_account}</IBAN></Id></{party}Acct></RltdPties>"
        f"<RmtInf>{words}</RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def make_account(provider: Organization, *, currency: str = "USD", number: str = IBAN) -> BankAccount:
    """The provider's account, and its invoice numbers begin with S-."""
    IssuerSequence.objects.get_or_create(issuer=provider, defaults={"prefix": "S-", "next_number": 1})
    account, _ = open_account(
        provider=provider, number=number, currency=currency, holder="Sample Compute", bic="", by=BY, now=NOW
    )
    return account


def take(provider: Organization, *movements: Movement, now: datetime = NOW) -> BankImport:
    """Import one file with these movements."""
    return import_statement(provider=provider, content=camt(movements), name="sample.xml", by=BY, now=now)[0]


def take_one(provider: Organization, movement: Movement) -> BankLine:
    """Import one movement and return it."""
    return take(provider, movement).lines.get()
