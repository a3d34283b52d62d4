"""What a contract says of a lease of fixed duration, and what is on record of one lease beside its holds."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.rating.inputs import Fact
from billing.rating.wording import Wording, WrongWording
from billing.rating.wording_fields import check_count, check_percent, check_price
from tenants.sentences import Name, Sentence, sentence

HOLDOVER_PERCENT_MAX = Decimal(1000)


class Billed(StrEnum):
    """When a lease is billed: for the period that is over, or for the one that follows it."""

    ARREARS = "arrears"
    ADVANCE = "advance"


class AtEnd(StrEnum):
    """What happens at a lease's end unless somebody said otherwise."""

    EXPIRE = "expire"
    RENEW = "renew"


class EarlyEnd(StrEnum):
    """What is owed of a lease that is ended before its agreed end."""

    NONE = "none"
    NOTICE = "notice"
    SHARE_OF_REMAINDER = "share_of_remainder"
    MINIMUM_TERM = "minimum_term"


class ExtensionPrice(StrEnum):
    """At which price a lease goes on: the one it has, or the book's in force when it is extended."""

    LOCKED = "locked"
    IN_FORCE = "in_force"


class LeaseWording(Wording, frozen=True, kw_only=True, tag="lease"):
    """A lease: a rate per GPU-hour (none: the book's price in force), or a flat amount per period or day.

    `provider_fault` are the causes of outages whose time is never billed. Holdover is time held past the agreed end:
    at its own rate, else at a percentage of the lease's.
    """

    accelerator_model: str = ""
    price_per_gpu_hour: Decimal | None = None
    flat_amount_per_period: Decimal | None = None
    flat_amount_per_day: Decimal | None = None
    billed: Billed = Billed.ARREARS
    deposit_amount: Decimal = Decimal(0)
    provider_fault: tuple[str, ...] = ()
    at_end: AtEnd = AtEnd.EXPIRE
    renew_days: int = 0
    early_end: EarlyEnd = EarlyEnd.NONE
    early_end_notice_days: int = 0
    early_end_percent_of_remainder: Decimal = Decimal(0)
    minimum_term_days: int = 0
    holdover_price_per_gpu_hour: Decimal | None = None
    holdover_percent: Decimal = Decimal(100)
    extension_price: ExtensionPrice = ExtensionPrice.LOCKED

    def check(self) -> None:
        """Raise `WrongWording` where amounts are impossible or fields contradict each other."""
        check_price("price_per_gpu_hour", self.price_per_gpu_hour)
        check_price("flat_amount_per_period", self.flat_amount_per_period, "14500.00")
        check_price("flat_amount_per_day", self.flat_amount_per_day, "480.00")
        check_price("deposit_amount", self.deposit_amount, "5000.00")
        check_price("holdover_price_per_gpu_hour", self.holdover_price_per_gpu_hour, "3.50")
        check_percent("holdover_percent", self.holdover_percent, "150", most=HOLDOVER_PERCENT_MAX)
        check_percent("early_end_percent_of_remainder", self.early_end_percent_of_remainder, "40")
        for field in ("early_end_notice_days", "minimum_term_days", "renew_days"):
            check_count(field, getattr(self, field), "30")
        self._check_one_price()
        self._check_end()

    def _check_one_price(self) -> None:
        named = [name for name in _PRICES if getattr(self, name) is not None]
        if len(named) > 1:
            raise WrongWording(
                named[1],
                sentence("contradicts %(named)s: a lease has one price.", named=Name(named[0])),
                sentence("leave one of them out"),
            )
        if self.is_flat and self.holdover_price_per_gpu_hour is not None:
            reason = sentence("contradicts the flat amount: give %(percent)s of it.", percent=Name("holdover_percent"))
            example = sentence("%(percent)s 150", percent=Name("holdover_percent"))
            raise WrongWording("holdover_price_per_gpu_hour", reason, example)

    def _check_end(self) -> None:
        if (self.at_end is AtEnd.RENEW) != (self.renew_days > 0):
            raise WrongWording("renew_days", _only_of("at_end", AtEnd.RENEW), "30")
        for rule, (field, example) in _NEEDED.items():
            given = bool(getattr(self, field))
            if given != (self.early_end is rule):
                raise WrongWording(field, _only_of("early_end", rule), example)

    @property
    def is_flat(self) -> bool:
        """Whether an amount is owed whatever is held."""
        return self.flat_amount_per_period is not None or self.flat_amount_per_day is not None

    @property
    def minimum_term(self) -> timedelta:
        """How long the lease is paid for at least."""
        return timedelta(days=self.minimum_term_days)


def _only_of(field: str, choice: StrEnum) -> Sentence:
    return sentence("belongs to %(choice)s, which needs it.", choice=Name(field, choice.value))


_PRICES = ("price_per_gpu_hour", "flat_amount_per_period", "flat_amount_per_day")
_NEEDED = {
    EarlyEnd.NOTICE: ("early_end_notice_days", "30"),
    EarlyEnd.SHARE_OF_REMAINDER: ("early_end_percent_of_remainder", "40"),
    EarlyEnd.MINIMUM_TERM: ("minimum_term_days", "90"),
}


class LeaseAgreed(Fact, frozen=True, kw_only=True, tag="lease_agreed"):
    """The instant to which a lease is agreed; what is held after it is held over."""

    to_at: datetime


class LeaseExtended(Fact, frozen=True, kw_only=True, tag="lease_extended"):
    """From `from_at` a lease goes on at the price per GPU-hour that was in force when it was extended."""

    from_at: datetime
    price_per_gpu_hour: Decimal


class LeaseEnded(Fact, frozen=True, kw_only=True, tag="lease_ended"):
    """A lease agreed to `agreed_to_at` (None: without an end) ended at `ended_at`, as was asked for at `asked_at`."""

    asked_at: datetime
    ended_at: datetime
    agreed_to_at: datetime | None = None


class NextPeriod(Fact, frozen=True, kw_only=True, tag="next_period"):
    """The billing period after the one rated, which a lease in advance is billed for; uncut it has `whole_seconds`."""

    from_at: datetime
    to_at: datetime
    whole_seconds: int
