"""What a document of money says, as plain values: a document is a function of these and of nothing else.

Amounts are decimals on the currency's minor unit, except where `exact` says that they are not rounded yet. A credit
note has positive amounts, as an invoice has; what it takes off is said by its kind.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

NOT_SUBJECT: Final = "O"
"""The category of what no value added tax is on at all (EN 16931, UNCL 5305); unlike an exemption it has no rate."""


class DocumentKind(StrEnum):
    """What a document is."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"
    ACCOUNT = "account"
    COLLECTIVE = "collective"


class Language(StrEnum):
    """The languages that documents are written in, as BCP 47 names them."""

    EN = "en"
    ZH = "zh-Hans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A seller or a buyer as its papers name it; what is unknown is empty.

    `country` is an ISO 3166-1 alpha-2 code. `legal_id` is its number in a register of companies. `logo` is a PNG or
    JPEG file.
    """

    name: str
    address: tuple[str, ...] = ()
    city: str = ""
    postcode: str = ""
    region: str = ""
    country: str = ""
    vat_id: str = ""
    tax_id: str = ""
    legal_id: str = ""
    email: str = ""
    logo: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """Where a transfer goes; without an IBAN `account` is the number as the bank writes it."""

    holder: str = ""
    iban: str = ""
    bic: str = ""
    account: str = ""
    bank: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A detail under a line: a class of tokens, a day; `amount` is exact and is not added to anything here."""

    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    price_unit: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line. `unit` and `price_unit` are values of `billing.rating.rated.Unit` and `PriceUnit`.

    `unit_price` is None where its parts have several; `share_percent` where it is the whole. `tax_category` is a code
    of EN 16931 (UNCL 5305), empty while no tax rule was applied. `about` names what it adjusts, if anything.
    """

    position: int
    heading: str
    name: str
    rule: str = ""
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    price_unit: str
    share_percent: Decimal | None = None
    amount: Decimal
    from_at: datetime
    to_at: datetime
    parts: tuple[Part, ...] = ()
    tax_category: str = ""
    tax_percent: Decimal | None = None
    about: str = ""

    @property
    def said_percent(self) -> Decimal | None:
        """The rate as papers and files say it: what is not subject to tax has none (BT-152), and none is not 0 %."""
        return self.tax_percent if self.tax_category not in {"", NOT_SUBJECT} else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """The tax of one category and rate: `amount` is rounded once. `reason` says why none is due."""

    category: str
    percent: Decimal
    base: Decimal
    amount: Decimal
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums: `subtotal` of the lines, `due` what is asked for by this document (or given back by it)."""

    subtotal: Decimal
    tax: Decimal
    total: Decimal
    prepaid: Decimal = Decimal(0)
    due: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """How to pay: `reference` is what the transfer must name; `url` a page that takes the payment."""

    account: BankAccount = BankAccount()
    reference: str = ""
    terms: str = ""
    url: str = ""
    by_card: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInput:
    """An invoice or a credit note. Days are those of `time_zone`; `about` names the invoice that a credit note is of.

    `evidence_sha256` seals what recomputes it. `order` is what the buyer asked to be named on its bills.
    """

    kind: DocumentKind
    language: Language
    number: str
    issued_at: datetime
    due_at: datetime | None
    from_at: datetime
    to_at: datetime
    time_zone: str
    currency: str
    contract: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    totals: Totals
    payment: Payment = Payment()
    notes: tuple[str, ...] = ()
    about: str = ""
    about_at: datetime | None = None
    order: str = ""
    evidence_sha256: str = ""
