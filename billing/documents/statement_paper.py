"""From a provider's statement, as it was frozen, to the paper it is printed on."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.documents.inputs import Language, Party
from billing.documents.paper import Block, Column, Fact, Paper, Row, RowKind, Table
from billing.documents.statement_words import PAPER, moved_words
from billing.documents.words import class_words
from billing.money import minor_digits
from portal.figures import day, locale_for, money, number

EARNED = ("net", "tax", "deposit")
MOVED = ("received", "moved", "paid_out")
LABELS = dict(
    zip(
        (*EARNED, *MOVED),
        ("earned_net", "earned_tax", "earned_deposit", "received", "corrections", "paid_out"),
        strict=True,
    )
)
"""What closing is more than opening by, in the order of a statement, and by which word of the paper."""


def compose_statement(document: str, *, provider: Party, sha256: str, language: Language = Language.EN) -> Paper:
    """Return the paper of a statement's canonical document, in a language."""
    said, say, locale = json.loads(document), PAPER[language], locale_for(language)
    head, currency = said["statement"], str(said["statement"]["currency"])
    month = day(date.fromisoformat(f"{head['month']}-01"), "yMMMM", locale)

    def amount(text: str) -> str:
        return money(Decimal(text), currency, locale=locale, digits=minor_digits(currency))

    totals = said["totals"]
    lines = filter(None, (provider.name, *provider.address, f"{provider.postcode} {provider.city}".strip()))
    return Paper(
        language=language,
        size="a4",
        title=say["title"],
        number=head["number"],
        author=provider.name,
        facts=(
            Fact(say["number"], head["number"], strong=True),
            Fact(say["month"], month),
            Fact(say["made"], _day(head["made_at"], locale)),
        ),
        parties=(Block(say["for"], (), tuple(lines)),),
        headline=say["headline"].format(amount=amount(totals["closing"]), month=month),
        tables=tuple(_tables(said, amount, language)),
        totals=(
            Fact(say["before"], amount(said["opening"])),
            *(Fact(say[label], amount(totals[name])) for name, label in LABELS.items()),
            Fact(say["now"], amount(totals["closing"]), strong=True),
        ),
        notes=(say["signs"], say["sealed"].format(sha256=sha256)),
        footer=f"{provider.name} · {say['title']} · {head['number']}",
        page_words=say["page"],
    )


def _day(at: str, locale: str) -> str:
    return day(datetime.fromisoformat(at).astimezone(UTC).date(), "yMMMMd", locale)


def _tables(said: Mapping[str, Any], amount: Callable[[str], str], language: Language) -> Iterator[Table]:
    say, locale = PAPER[language], locale_for(language)
    if said["earned"]:
        rows = tuple(
            Row(
                RowKind.LINE,
                (one["number"], *(amount(one[name]) for name in ("total", "fee", "tax", "net"))),
                (f"{one['tenant']} · {one['contract']} · {_day(one['booked_at'], locale)}",),
            )
            for one in said["earned"]
        )
        yield Table(_columns(say, "invoice", "total", "fee", "tax", "net"), rows, say["earned"])
    moved = [one for name in MOVED for one in said[name]]
    if moved:
        rows = tuple(
            Row(RowKind.LINE, (moved_words(one["memo"], language), _day(one["at"], locale), amount(one["amount"])))
            for one in moved
        )
        yield Table(_columns(say, "what", "day", "amount"), rows, say["moved"])
    if said["reconciliation"]:
        figures = ("billed", "compared", "control", "residual")
        rows = tuple(
            Row(
                RowKind.LINE,
                (one["model"], *(number(Decimal(one[name])) for name in figures)),
                (f"{one['contract']} · {class_words(language, one['class'])}",),
            )
            for one in said["reconciliation"]
        )
        yield Table(_columns(say, "witnesses", *figures), rows, say["compared_title"])


def _columns(say: Mapping[str, str], first: str, *figures: str) -> tuple[Column, ...]:
    return (Column(say[first]), *(Column(say[name], figures=True) for name in figures))
