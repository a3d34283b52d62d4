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
            _no("currency", str(error), "USD")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            _no("time_zone", f"{self.time_zone!r} is no IANA time zone.", "Europe/Berlin")
        if self.to_at is not None and full_second(self.to_at) <= full_second(self.from_at):
            reason = f"The end {self.to_at.isoformat()} must lie after the start {self.from_at.isoformat()}."
            _no("to_at", reason, "leave it out: no end is set")
        if not self.provider.is_provider or not self.tenant.is_tenant:
            _no("tenant", f"{self.provider.slug} must be a provider and {self.tenant.slug} a tenant.", "another party")
        if self.provider.pk == self.tenant.pk:
            _no("tenant", "A contract has two parties.", "another party")
        self._check_book()
        if (self.period_kind == PeriodKind.FIXED_LENGTH) != bool(self.period_length_s):
            _no("period_length_s", "period_length_s belongs to periods of fixed length, and to those only.", "604800")
        if not 0 <= self.operator_fee_percent <= 100:
            _no("operator_fee_percent", "A fee is at least 0 and at most 100 percent.", "2.5")
        self._check_words()

    def _check_words(self) -> None:
        for field, limit in WORDS_CHARACTERS_MAX.items():
            given = getattr(self, field)
            if len(given) > limit or (given and not given.isprintable()):
                _no(field, f"At most {limit} characters on one line.", "PO-2026-0117")

    def _check_book(self) -> None:
        book = self.price_book
        if book is not None and book.provider_id != self.provider.id:
            _no("price_book", f"The price book must be {self.provider.slug}'s.", "one of the provider's books")
        if book is not None and book.currency != self.currency:
            reason = f"The price book must be in {self.currency}: {book.name} is in {book.currency}."
            _no("price_book", reason, f"a book in {self.currency}")

    def values(self) -> dict[str, Any]:
        """Return the fields as the contract's row has them."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return found | {"from_at": full_second(self.from_at), "to_at": self.to_at and full_second(self.to_at)}


def full_second(at: datetime) -> datetime:
    """Return an instant at its full second."""
    return at.replace(microsecond=0)


def _no(field: str, reason: str, example: str) -> NoReturn:
    raise WrongTerms(f"{field}: {reason} Example: {example}", field=field, reason=reason, example=example)
