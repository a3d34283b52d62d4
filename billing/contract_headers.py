"""What a contract says beside its terms: parties, currency, zone, time, periods, collection; checked in one place."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.holding import WrongTerms
from billing.models import Collection, PeriodKind, PriceBook
from billing.money import UnknownCurrency, minor_digits
from tenants.models import Organization
from tenants.sentences import sentence

WORDS_CHARACTERS_MAX: Final = {"name": 200, "provider_reference": 100, "tenant_reference": 100}
"""How long the words for people are: they are no terms, and no part of what is hashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A contract without its terms. Instants are taken at the full second."""

    provider: Organization
    tenant: Organization
    currency: str
    time_zone: str
    from_at: datetime
    to_at: datetime | None = None
    price_book: PriceBook | None = None
    period_kind: PeriodKind = PeriodKind.CALENDAR_MONTH
    period_length_s: int | None = None
    collection: Collection = Collection.SEND_INVOICE
    due_days: int = 14
    grace_hours: int = 48
    event_grace_minutes: int = 0
    operator_fee_percent: Decimal = Decimal(0)
    name: str = ""
    provider_reference: str = ""
    tenant_reference: str = ""

    def check(self) -> None:
        """Raise `WrongTerms` with field, reason and example where the header contradicts itself."""
        try:
            minor_digits(self.currency)
        except UnknownCurrency as error:
            _no("currency", error.args[0], "USD")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            _no(
                "time_zone",
                sentence("%(time_zone)s is no IANA time zone.", time_zone=repr(self.time_zone)),
                "Europe/Berlin",
            )
        if self.to_at is not None and full_second(self.to_at) <= full_second(self.from_at):
            reason = sentence(
                "The end %(to_at)s must lie after the start %(from_at)s.",
                to_at=self.to_at.isoformat(),
                from_at=self.from_at.isoformat(),
            )
            _no("to_at", reason, sentence("leave it out: no end is set"))
        if not self.provider.is_provider or not self.tenant.is_tenant:
            _no(
                "tenant",
                sentence(
                    "%(slug)s must be a provider and %(slug_2)s a tenant.",
                    slug=self.provider.slug,
                    slug_2=self.tenant.slug,
                ),
                sentence("another party"),
            )
        if self.provider.pk == self.tenant.pk:
            _no("tenant", sentence("A contract has two parties."), sentence("another party"))
        self._check_book()
        if (self.period_kind == PeriodKind.FIXED_LENGTH) != bool(self.period_length_s):
            _no(
                "period_length_s",
                sentence("period_length_s belongs to periods of fixed length, and to those only."),
                "604800",
            )
        if not 0 <= self.operator_fee_percent <= 100:
            _no("operator_fee_percent", sentence("A fee is at least 0 and at most 100 percent."), "2.5")
        self._check_words()

    def _check_words(self) -> None:
        for field, limit in WORDS_CHARACTERS_MAX.items():
            given = getattr(self, field)
            if len(given) > limit or (given and not given.isprintable()):
                _no(field, sentence("At most %(limit)s characters on one line.", limit=limit), "PO-2026-0117")

    def _check_book(self) -> None:
        book = self.price_book
        if book is not None and book.provider_id != self.provider.id:
            _no(
                "price_book",
                sentence("The price book must be %(slug)s's.", slug=self.provider.slug),
                sentence("one of the provider's books"),
            )
        if book is not None and book.currency != self.currency:
            reason = sentence(
                "The price book must be in %(currency)s: %(name)s is in %(book_currency)s.",
                currency=self.currency,
                name=book.name,
                book_currency=book.currency,
            )
            _no("price_book", reason, sentence("a book in %(currency)s", currency=self.currency))

    def values(self) -> dict[str, Any]:
        """Return the fields as the contract's row has them."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return found | {"from_at": full_second(self.from_at), "to_at": self.to_at and full_second(self.to_at)}


def full_second(at: datetime) -> datetime:
    """Return an instant at its full second."""
    return at.replace(microsecond=0)


def _no(field: str, reason: str, example: str) -> NoReturn:
    raise WrongTerms(
        f"{field}: {reason} Example: {example}",
        field=field,
        reason=reason,
        example=example,
    )
