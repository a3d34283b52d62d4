"""The electronic invoice of EN 16931-1: what a document says in the terms of the European standard, in no syntax yet.

Comments name business terms (BT) and rules (BR) of the standard. The modules of the syntaxes (`cii`, `ubl`) only write.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.documents.inputs import NOT_SUBJECT, BankAccount, DocumentInput, DocumentKind, Line, Party, Tax
from billing.money import SECONDS_PER_HOUR, TOKENS_PER_PRICE_UNIT, exact_sum, minor_digits, round_to_minor, to_decimals
from billing.rating.rated import PriceUnit, Unit

SPECIFICATION = "urn:cen.eu:en16931:2017"
DECIMALS_MAX = 2
"""Decimals that the standard allows an amount (BR-DEC-01 and on)."""
NOTE_CHARACTERS_MAX = 1000
NAME_CHARACTERS_MAX = 100

INVOICE_CODE, CREDIT_NOTE_CODE = "380", "381"
"""UNTDID 1001 (BT-3)."""
ONE, HOUR = "C62", "HUR"
"""UN/ECE Recommendation 20 (BT-130): one piece, an hour."""
HOUR_DECIMALS = 6
SEPA_TRANSFER, TRANSFER, CARD = "58", "30", "48"
"""UNTDID 4461 (BT-81)."""
EXEMPT = frozenset({"E", "AE", "K", "G", "O"})
"""Categories that must say why no tax is due (BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10)."""
EXEMPTED, WITHIN_EU, REVERSE = "E", "K", "AE"


@dataclass(frozen=True, slots=True)
class Lacks:
    """What is not known that the standard demands; each a sentence for people."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line (BG-25): `quantity` x `price` / `per` is `amount`, rounded once."""

    number: str
    name: str
    description: str
    quantity: Decimal
    unit: str
    price: Decimal
    per: Decimal
    amount: Decimal
    from_on: date
    to_on: date
    category: str
    percent: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Einvoice:
    """An invoice or a credit note in the terms of the standard; all texts are cleaned and cut to what it allows."""

    number: str
    type_code: str
    issued_on: date
    due_on: date | None
    from_on: date
    to_on: date
    currency: str
    notes: tuple[str, ...]
    order: str
    contract: str
    about: str
    about_on: date | None
    seller: Party
    buyer: Party
    deliver_to: str
    items: tuple[Item, ...]
    taxes: tuple[Tax, ...]
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    prepaid: Decimal
    due: Decimal
    means: str
    account: BankAccount
    reference: str
    terms: str


def einvoice_of(document: DocumentInput) -> Einvoice | Lacks:
    """Return the electronic invoice of a document, or what is not known that it would have to say."""
    reasons = (*_lacking_of_parties(document), *_lacking_of_figures(document))
    if reasons:
        return Lacks(reasons)
    zone = ZoneInfo(document.time_zone)
    from_on, to_on = _days(document.from_at, document.to_at, zone)
    untaxed = _not_subject(document.taxes)
    return Einvoice(
        number=document.number,
        type_code=CREDIT_NOTE_CODE if document.kind is DocumentKind.CREDIT_NOTE else INVOICE_CODE,
        issued_on=document.issued_at.astimezone(zone).date(),
        due_on=document.due_at.astimezone(zone).date() if document.due_at else None,
        from_on=from_on,
        to_on=to_on,
        currency=document.currency,
        notes=tuple(clean(note, NOTE_CHARACTERS_MAX) for note in document.notes),
        order=clean(document.order),
        contract=clean(document.contract),
        about=document.about,
        about_on=document.about_at.astimezone(zone).date() if document.about_at else None,
        seller=_party(document.seller, untaxed=untaxed),
        buyer=_party(document.buyer, untaxed=untaxed),
        deliver_to=document.buyer.country if any(tax.category == WITHIN_EU for tax in document.taxes) else "",
        items=tuple(_item(line, document, zone) for line in document.lines),
        taxes=_by_rate(document.taxes),
        subtotal=document.totals.subtotal,
        tax=document.totals.tax,
        total=document.totals.total,
        prepaid=document.totals.prepaid,
        due=document.totals.due,
        means=_means(document),
        account=document.payment.account,
        reference=clean(document.payment.reference or document.number),
        terms=clean(document.payment.terms, NOTE_CHARACTERS_MAX),
    )


def _lacking_of_parties(document: DocumentInput) -> Iterator[str]:
    seller, buyer = document.seller, document.buyer
    for who, party in (("seller", seller), ("buyer", buyer)):
        if not party.country:  # BR-9, BR-11
            yield f"The {who}'s country is not known."
    if not (seller.vat_id or seller.legal_id):  # BR-CO-26
        yield "The seller has neither a VAT id nor a registration."
    categories = {line.tax_category for line in document.lines}
    if (
        not _not_subject(document.taxes) and categories - {NOT_SUBJECT, ""} and not (seller.vat_id or seller.tax_id)
    ):  # BR-S-02, BR-Z-02, BR-E-02 and on
        yield "The seller has neither a VAT id nor a tax number."
    if categories & {REVERSE, WITHIN_EU} and not buyer.vat_id:  # BR-AE-02, BR-IC-02
        yield "The buyer's VAT id is not known."


def _lacking_of_figures(document: DocumentInput) -> Iterator[str]:
    if minor_digits(document.currency) > DECIMALS_MAX:  # BR-DEC-09 and on
        yield f"{document.currency} has more decimals than the two that EN 16931 has room for."
    if not document.lines:  # BR-16
        yield "It has no lines."
    if not document.taxes or any(not line.tax_category for line in document.lines):  # BR-CO-18, BR-CO-4
        yield "No tax rule was applied to its lines."
    if any(tax.category in EXEMPT and not (tax.reason or tax.reason_code) for tax in document.taxes):
        yield "It does not say why no tax is due."
    categories = {tax.category for tax in document.taxes}
    if NOT_SUBJECT in categories and not _not_subject(document.taxes):  # BR-O-11, BR-O-12
        yield "Something on it is not subject to tax while something else is."
    if document.totals.total < 0:
        yield "Its total is below zero."


def _not_subject(taxes: Sequence[Tax]) -> bool:
    """Whether nothing is subject to tax: what is exempt beside it (money held, paid before) is not either."""
    categories = {tax.category for tax in taxes}
    return NOT_SUBJECT in categories and categories <= {NOT_SUBJECT, EXEMPTED}


def _by_rate(taxes: Sequence[Tax]) -> tuple[Tax, ...]:
    """One row for each category and rate (BR-S-08, BR-E-01 and their like): ours stand apart by country and reason."""
    rows: dict[tuple[str, Decimal], list[Tax]] = defaultdict(list)
    for tax in taxes:
        rows[NOT_SUBJECT if _not_subject(taxes) else tax.category, tax.percent].append(tax)
    return tuple(
        Tax(
            category=category,
            percent=percent,
            base=exact_sum(each.base for each in same),
            amount=exact_sum(each.amount for each in same),
            reason="; ".join(dict.fromkeys(each.reason for each in same if each.reason)),
            # A code is for one reason: beside others the words stand alone.
            reason_code=same[0].reason_code if len({each.reason_code for each in same}) == 1 else "",
        )
        for (category, percent), same in rows.items()
    )


def _days(from_at: datetime, to_at: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """First and last day of a half-open period (BT-73, BT-74 are both within it)."""
    last = max(to_at - timedelta(microseconds=1), from_at)
    return from_at.astimezone(zone).date(), last.astimezone(zone).date()


def _party(party: Party, *, untaxed: bool) -> Party:
    """Clean texts; where nothing is subject to tax no VAT id may stand on it (BR-O-02)."""
    return Party(
        name=clean(party.name),
        address=tuple(clean(line) for line in party.address[:3]),
        city=clean(party.city),
        postcode=clean(party.postcode),
        region=clean(party.region),
        country=party.country,
        vat_id="" if untaxed else party.vat_id,
        tax_id="" if untaxed else party.tax_id,
        legal_id=clean(party.legal_id or (party.vat_id if untaxed else "")),
        email=party.email,
    )


def _means(document: DocumentInput) -> str:
    """How it is paid (BT-81); empty where nothing is, or where no account is known (BR-61)."""
    if document.kind is DocumentKind.CREDIT_NOTE or not document.totals.due:
        return ""
    if document.payment.by_card:
        return CARD
    account = document.payment.account
    if account.iban and document.currency == "EUR":
        return SEPA_TRANSFER
    return TRANSFER if account.iban or account.account else ""


def _item(line: Line, document: DocumentInput, zone: ZoneInfo) -> Item:
    category = NOT_SUBJECT if _not_subject(document.taxes) else line.tax_category
    quantity, unit, price, per = _counted(line, document.currency)
    from_on, to_on = _days(line.from_at, line.to_at, zone)
    whole_from, whole_to = _days(document.from_at, document.to_at, zone)
    return Item(
        number=str(line.position),
        name=clean(line.name, NAME_CHARACTERS_MAX) or clean(line.heading, NAME_CHARACTERS_MAX),
        description=clean(" · ".join(filter(None, (line.heading, _detail(line))))),
        quantity=quantity,
        unit=unit,
        price=price,
        per=per,
        amount=line.amount,
        # A line's period lies within the document's (BR-29 and on look at each; some countries at both).
        from_on=min(max(from_on, whole_from), whole_to),
        to_on=max(min(to_on, whole_to), whole_from),
        category=category,
        percent=None if category == NOT_SUBJECT else line.tax_percent,
    )


def _counted(line: Line, currency: str) -> tuple[Decimal, str, Decimal, Decimal]:
    """Quantity, unit, price and what the price is per, such that they come to the line's amount.

    A line with several prices, or of which a share is owed, or below zero, is one piece (or minus one) at its amount:
    a price is never below zero (BR-27).
    """
    one = (Decimal(-1 if line.amount < 0 else 1), ONE, abs(line.amount), Decimal(1))
    if line.unit_price is None or line.unit_price < 0 or line.quantity <= 0:
        return one
    counted = _plain_units(line)
    if counted is None:
        return one
    quantity, unit, per = counted
    worth = Fraction(quantity) * Fraction(line.unit_price) / Fraction(per)
    if round_to_minor(worth, currency) != line.amount:
        return one
    return quantity, unit, line.unit_price, per


def _plain_units(line: Line) -> tuple[Decimal, str, Decimal] | None:
    """The quantity in a unit of Recommendation 20 where there is one for it."""
    if line.price_unit == PriceUnit.PER_GPU_HOUR and line.unit == Unit.GPU_SECONDS:
        hours = to_decimals(Fraction(line.quantity) / SECONDS_PER_HOUR, HOUR_DECIMALS)
        exact = Fraction(hours) * SECONDS_PER_HOUR == Fraction(line.quantity)
        return (hours, HOUR, Decimal(1)) if exact else None
    if line.price_unit == PriceUnit.PER_MTOK and line.unit == Unit.TOKENS:
        return line.quantity, ONE, Decimal(TOKENS_PER_PRICE_UNIT)
    if line.unit in (Unit.REQUESTS, Unit.IMAGES, Unit.STEPS, Unit.PACKAGES):
        return line.quantity, ONE, Decimal(1)
    return None


def _detail(line: Line) -> str:
    parts = (f"{part.name} {part.quantity.normalize():f}" for part in line.parts)
    return "; ".join((*parts, *([f"Adjusts {line.about}"] if line.about else [])))


def clean(text: str, characters_max: int = NOTE_CHARACTERS_MAX) -> str:
    """Return a text without what XML 1.0 cannot hold, its blanks made one, cut to what there is room for."""
    kept = "".join(letter if letter.isprintable() or letter == " " else " " for letter in text)
    return " ".join(kept.split())[:characters_max]


def plain(amount: Decimal) -> str:
    """Return a decimal as XML writes it: no exponent, no zeros behind that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money_text(amount: Decimal, currency: str) -> str:
    """Return an amount with the decimals of its currency."""
    return f"{round_to_minor(amount, currency):f}"
