"""From a tenant's account with a provider to the paper it is printed on, in the tenant's language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.documents.account_words import PAPER, line_words
from billing.documents.inputs import Language, Party
from billing.documents.paper import Block, Column, Fact, Paper, Row, RowKind, Table
from billing.money import minor_digits
from portal.figures import EN, ZH, day, money

COLUMNS = ("what", "reference", "day", "amount", "balance")
LOCALES = {Language.EN: EN, Language.ZH: ZH}


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One thing that moved the account; `amount` above zero is owed, `balance` is after it."""

    on: date
    memo: str
    reference: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInput:
    """An account over whole days, the last one with it. `number` names the document."""

    seller: Party
    buyer: Party
    language: Language
    number: str
    currency: str
    first: date
    last: date
    opening: Decimal
    charged: Decimal
    settled: Decimal
    closing: Decimal
    rows: Sequence[AccountRow]


def compose_account(account: AccountInput) -> Paper:
    """Return the paper of an account: a function of what it says and of nothing else."""
    say, locale = PAPER[account.language], LOCALES[account.language]

    def amount(value: Decimal) -> str:
        return money(value, account.currency, locale=locale, digits=minor_digits(account.currency))

    def on(value: date) -> str:
        return day(value, "yMMMMd", locale)

    owes = "owed" if account.closing > 0 else "kept" if account.closing < 0 else "even"
    return Paper(
        language=account.language,
        size="a4",
        title=say["title"],
        number=account.number,
        author=account.seller.name,
        facts=(
            Fact(say["days"], say["days_of"].format(first=on(account.first), last=on(account.last)), strong=True),
            Fact(say["currency"], account.currency),
        ),
        parties=(_party(say["from"], account.seller), _party(say["for"], account.buyer)),
        headline=say[owes].format(amount=amount(abs(account.closing))),
        headline_note="" if account.rows else say["nothing"],
        tables=(_table(account, amount, on),) if account.rows else (),
        totals=(
            Fact(say["opening"], amount(account.opening)),
            Fact(say["invoiced"], amount(account.charged)),
            Fact(say["settled"], amount(account.settled)),
            Fact(say["closing"], amount(account.closing), strong=True),
        ),
        notes=(say["signs"], say["booked"]),
        footer=f"{account.seller.name} · {say['title']} · {account.number}",
        page_words=say["page"],
    )


def _table(account: AccountInput, amount: Callable[[Decimal], str], on: Callable[[date], str]) -> Table:
    say = PAPER[account.language]
    columns = tuple(Column(say[name], figures=name not in {"what", "reference"}) for name in COLUMNS)
    rows = tuple(
        Row(
            RowKind.LINE,
            (
                line_words(row.memo, account.language),
                row.reference,
                on(row.on),
                amount(row.amount),
                amount(row.balance),
            ),
        )
        for row in account.rows
    )
    return Table(columns, rows, say["moved"])


def _party(title: str, party: Party) -> Block:
    place = f"{party.postcode} {party.city}".strip()
    return Block(title, (), tuple(line for line in (party.name, *party.address, place, party.vat_id) if line))
