"""From what an invoice or a credit note says to the paper it is printed on: figures become text here, once."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale

from billing.documents.gathering import Detail, Printed, Sum, printed
from billing.documents.inputs import DocumentInput, DocumentKind, Language, Line, Part, Party, Tax
from billing.documents.paper import Block, Column, Fact, Paper, Row, RowKind, Table
from billing.documents.script import in_script
from billing.documents.words import PRICE_UNITS, TAX_NAMES, TAX_REASONS, TITLES, UNITS, say
from billing.money import SECONDS_PER_HOUR, minor_digits
from billing.rating.rated import Unit
from portal.figures import day, locale_for, money, number, percent, span, unit_price

BY_HOUR = frozenset({Unit.GPU_SECONDS, Unit.GB_SECONDS, Unit.SECONDS})
EXACT_DIGITS_MAX = 6
PERCENT = 100
LETTER_COUNTRIES = frozenset({"US", "CA", "MX", "PH", "CL", "CO"})
"""Where papers are of the size US letter."""


def compose(document: DocumentInput) -> Paper:
    """Return the paper of an invoice or a credit note."""
    words, locale = document.language, locale_for(document.language)
    shown = printed(document.lines)
    return Paper(
        language=document.language,
        size="us-letter" if document.seller.country in LETTER_COUNTRIES else "a4",
        title=say(words, TITLES[document.kind]),
        number=document.number,
        author=document.seller.name,
        facts=tuple(_facts(document, locale)),
        parties=(
            _party(document, document.seller, say(words, "from")),
            _party(document, document.buyer, say(words, "bill_to")),
        ),
        headline=_headline(document, locale),
        link=document.payment.url,
        link_words=_link_words(document),
        tables=(_table(document, locale, shown),),
        totals=tuple(_totals(document, locale)),
        blocks=tuple(_payment(document, locale)),
        notes=tuple(_notes(document, shown)),
        footer=" · ".join(filter(None, (document.seller.name, say(words, TITLES[document.kind]), document.number))),
        page_words=say(words, "page", page="{page}", pages="{pages}"),
    )


def amount_words(amount: Decimal, document: DocumentInput, locale: str) -> str:
    """Return an amount with its currency's symbol and own decimals, by ISO 4217."""
    return money(amount, document.currency, locale=locale, digits=minor_digits(document.currency))


def day_words(at: datetime, document: DocumentInput, locale: str) -> str:
    """Return the day of an instant in the document's zone."""
    return day(at.astimezone(ZoneInfo(document.time_zone)).date(), "yMMMMd", locale)


def period_words(from_at: datetime, to_at: datetime, document: DocumentInput, locale: str) -> str:
    """Return the days of a half-open period, first and last."""
    zone = ZoneInfo(document.time_zone)
    last = max(to_at - timedelta(microseconds=1), from_at)
    return span(from_at.astimezone(zone).date(), last.astimezone(zone).date(), locale)


def country_words(country: str, language: Language) -> str:
    """Return what a country is called by Unicode CLDR; a code that it does not know stands as it is."""
    names = Locale.parse(locale_for(language)).territories
    return str(names.get(country, country))


def _facts(document: DocumentInput, locale: str) -> Iterator[Fact]:
    words = document.language
    yield Fact(say(words, "number"), document.number, strong=True)
    yield Fact(say(words, "issued"), day_words(document.issued_at, document, locale))
    if document.due_at is not None and document.totals.due:
        yield Fact(say(words, "due"), day_words(document.due_at, document, locale))
    if document.about:
        about = document.about
        if document.about_at is not None:
            issued = day_words(document.about_at, document, locale)
            about = say(words, "about_from", number=about, day=issued)
        yield Fact(say(words, "about"), about)
    yield Fact(say(words, "period"), period_words(document.from_at, document.to_at, document, locale))
    if document.contract:
        yield Fact(say(words, "contract"), document.contract)
    if document.order:
        yield Fact(say(words, "order"), document.order)


def _party(document: DocumentInput, party: Party, title: str) -> Block:
    words = document.language
    place = " ".join(filter(None, (party.postcode, party.city)))
    where = ", ".join(filter(None, (place, party.region)))
    lines = (party.name, *party.address, where, country_words(party.country, document.language), party.email)
    numbers = (("vat_id", party.vat_id), ("tax_id", party.tax_id), ("legal_id", party.legal_id))
    facts = tuple(Fact(say(words, label), value) for label, value in numbers if value)
    return Block(title, facts, tuple(filter(None, lines)))


def _headline(document: DocumentInput, locale: str) -> str:
    words, amount = document.language, amount_words(document.totals.due, document, locale)
    if document.kind is DocumentKind.CREDIT_NOTE:
        return say(words, "credited", amount=amount_words(document.totals.total, document, locale))
    if not document.totals.due:
        return say(words, "nothing_due")
    if document.due_at is None:
        return say(words, "amount_owed", amount=amount)
    return say(words, "amount_due", amount=amount, day=day_words(document.due_at, document, locale))


def _link_words(document: DocumentInput) -> str:
    if not document.payment.url:
        return ""
    pays = document.kind is not DocumentKind.CREDIT_NOTE and document.totals.due
    return say(document.language, "pay_online" if pays else "see_online")


def _table(document: DocumentInput, locale: str, shown: Printed) -> Table:
    words, taxed = document.language, _shows_tax(document)
    names = ["item", "quantity", "unit_price", *(["tax"] if taxed else []), "amount"]
    columns = tuple(Column(say(words, name), figures=name != "item") for name in names)
    rows: list[Row] = [_sum_row(each, document, locale, taxed=taxed) for each in shown.sums]
    wholes: dict[str, Decimal] = defaultdict(Decimal)
    for line in shown.lines:
        wholes[line.heading] += line.amount
    heading = None
    for line in shown.lines:
        if line.heading != heading:
            heading = line.heading
            whole = wholes[heading]
            blank = ("",) * (len(columns) - 2)
            rows.append(Row(RowKind.HEADING, (heading, *blank, amount_words(whole, document, locale))))
        rows.extend(_line_rows(line, document, locale, taxed=taxed))
    return Table(columns, tuple(rows))


def _sum_row(each: Sum, document: DocumentInput, locale: str, *, taxed: bool) -> Row:
    words = document.language
    name = each.heading or say(words, "others", count=number(each.headings))
    quantity = "" if each.quantity is None else _quantity(each.quantity, each.unit, document)
    of_tax = ("" if each.tax_percent is None else percent(each.tax_percent),) if taxed else ()
    cells = (name, quantity, "", *of_tax, amount_words(each.amount, document, locale))
    under = (say(words, "lines_of", count=number(each.lines)),) if each.lines > 1 else ()
    return Row(RowKind.LINE, cells, under)


def _shows_tax(document: DocumentInput) -> bool:
    return any(line.said_percent is not None for line in document.lines)


def _line_rows(line: Line, document: DocumentInput, locale: str, *, taxed: bool) -> Iterator[Row]:
    tax = (_tax_cell(line),) if taxed else ()
    cells = (
        line.name,
        _quantity(line.quantity, line.unit, document),
        _price(line, document, locale),
        *tax,
        amount_words(line.amount, document, locale),
    )
    yield Row(RowKind.LINE, cells, tuple(_under(line, document, locale)))
    for part in line.parts:
        blank = ("",) if taxed else ()
        yield Row(RowKind.PART, (*_part_cells(part, document, locale), *blank, _exact(part.amount, document, locale)))


def _under(line: Line, document: DocumentInput, locale: str) -> Iterator[str]:
    words = document.language
    if (line.from_at, line.to_at) != (document.from_at, document.to_at) and line.from_at < line.to_at:
        yield period_words(line.from_at, line.to_at, document, locale)
    if line.about:
        yield say(words, "adjusts", about=line.about)


def _part_cells(part: Part, document: DocumentInput, locale: str) -> tuple[str, str, str]:
    price = ""
    if part.unit_price is not None:
        price = _per(unit_price(part.unit_price, document.currency, locale=locale), part.price_unit, document)
    return part.name, _quantity(part.quantity, part.unit, document), price


def _tax_cell(line: Line) -> str:
    return percent(line.said_percent) if line.said_percent is not None else ""


def quantity_digits(quantity: Decimal) -> int:
    """With how many decimals a bill says a quantity: none where it is whole, two where that is all of it, else four.

    Four of an hour are a third of a second: what they leave out is no cent at any price of a card's hour.
    """
    if quantity == quantity.to_integral_value():
        return 0
    return 2 if quantity == round(quantity, 2) else 4


def _quantity(quantity: Decimal, unit: str, document: DocumentInput) -> str:
    if unit == Unit.AMOUNT:
        return ""
    if unit in BY_HOUR:
        quantity /= SECONDS_PER_HOUR
    shown = number(quantity, digits=quantity_digits(quantity))
    return " ".join(filter(None, (shown, UNITS[document.language].get(unit, ""))))


def _price(line: Line, document: DocumentInput, locale: str) -> str:
    if line.unit == Unit.AMOUNT:
        return ""
    if line.unit_price is None:
        return "" if line.parts else say(document.language, "several_prices")
    shown = _per(unit_price(line.unit_price, document.currency, locale=locale), line.price_unit, document)
    if line.share_percent is None or line.share_percent == PERCENT:
        return shown
    return say(document.language, "part_of", share=percent(line.share_percent), base=shown)


def _per(price: str, price_unit: str, document: DocumentInput) -> str:
    return " ".join(filter(None, (price, PRICE_UNITS[document.language].get(price_unit, ""))))


def _exact(amount: Decimal, document: DocumentInput, locale: str) -> str:
    """A part's amount with the decimals it has, up to six, since it is not rounded."""
    own = max(0, -int(amount.normalize().as_tuple().exponent))
    digits = max(minor_digits(document.currency), min(own, EXACT_DIGITS_MAX))
    return money(amount, document.currency, locale=locale, digits=digits)


def _totals(document: DocumentInput, locale: str) -> Iterator[Fact]:
    words, totals = document.language, document.totals
    if document.kind is not DocumentKind.COLLECTIVE:
        yield Fact(say(words, "subtotal"), amount_words(totals.subtotal, document, locale))
    for tax in document.taxes:
        yield Fact(_tax_label(tax, document, locale), amount_words(tax.amount, document, locale))
    yield Fact(say(words, "total"), amount_words(totals.total, document, locale), strong=not totals.prepaid)
    if totals.prepaid:
        yield Fact(say(words, "prepaid"), amount_words(-totals.prepaid, document, locale))
    label = "credited_now" if document.kind is DocumentKind.CREDIT_NOTE else "due_now"
    yield Fact(say(words, label), amount_words(totals.due, document, locale), strong=True)


def _tax_label(tax: Tax, document: DocumentInput, locale: str) -> str:
    names, base = TAX_NAMES[document.language], amount_words(tax.base, document, locale)
    name = in_script(names.get(tax.category, tax.category), document.language)
    if tax.category == "S":
        return say(document.language, "tax_row_named", name=name, percent=percent(tax.percent), base=base)
    return say(document.language, "tax_none", name=name, base=base)


def _payment(document: DocumentInput, locale: str) -> Iterator[Block]:
    """The box that says where the money goes; none where nothing is to be paid."""
    words, payment = document.language, document.payment
    if document.kind is DocumentKind.CREDIT_NOTE or not document.totals.due:
        return
    title = say(words, "how_to_pay")
    if payment.by_card:
        yield Block(title, (), (say(words, "by_card"),))
        return
    account = payment.account
    where = (
        ("holder", account.holder),
        ("iban", _in_fours(account.iban)),
        ("account", account.account),
        ("bic", account.bic),
        ("bank", account.bank),
    )
    facts = [Fact(say(words, label), value) for label, value in where if value]
    lines = []
    if facts:
        lines.append(say(words, "name_reference"))
    elif document.seller.email:
        lines.append(say(words, "ask_how", name=document.seller.name, email=document.seller.email))
    facts.append(Fact(say(words, "reference"), payment.reference or document.number, strong=True))
    facts.append(Fact(say(words, "amount"), amount_words(document.totals.due, document, locale)))
    if document.due_at is not None:
        facts.append(Fact(say(words, "pay_by"), day_words(document.due_at, document, locale)))
    yield Block(title, tuple(facts), (*lines, *filter(None, (payment.terms,))))


def _in_fours(iban: str) -> str:
    text = iban.replace(" ", "")
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def _reason(reason: str, language: Language) -> str:
    said = TAX_REASONS[language].get(reason)
    return in_script(f"{said}({{reason}})", language).format(reason=reason) if said else reason


def _notes(document: DocumentInput, shown: Printed) -> Iterator[str]:
    words = document.language
    yield from document.notes
    if shown.detail is not Detail.PARTS:
        said = "lines_only" if shown.detail is Detail.LINES else "sums_only"
        where = "where_invoice" if document.kind is DocumentKind.INVOICE else "where_online"
        yield say(words, said, count=number(len(document.lines)), where=say(words, where))
    yield from dict.fromkeys(_reason(tax.reason, words) for tax in document.taxes if tax.reason)
    if document.kind is DocumentKind.COLLECTIVE:
        yield say(words, "collective_note")
    yield say(words, "days_of", zone=document.time_zone)
    if any(line.parts for line in shown.lines):
        yield say(words, "rounding")
    if document.evidence_sha256:
        yield say(words, "evidence", sha256=document.evidence_sha256)
