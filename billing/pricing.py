"""Publishing versions of a price book."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q

from billing import models
from billing.cuts import ensure_cuts, write_cuts
from billing.price_notices import write_notices
from billing.price_rules import ruled_contracts
from billing.price_versions import load_versions
from billing.rating.book import PriceVersion
from billing.rating.price_lists import PriceKey, PriceList, version_of
from billing.rating.price_rows import check_list
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from billing.rating.wording import WrongWording
from metering.models import UsageHour
from tenants.problems import Problem
from tenants.sentences import sentence

TokenPrices = Mapping[tuple[str, str], Decimal]
"""Price per 1M tokens by (served model, class)."""
TierPrices = Mapping[tuple[str, str, int], Decimal]
"""Price per 1M tokens by (served model, class, threshold): for the whole of a request whose input exceeds it."""
GpuPrices = Mapping[str, Decimal]
"""Price per GPU-hour of a whole card by accelerator model."""


class WrongPrices(Problem):
    """A price is negative, too fine, of an unknown class or threshold, or of long requests alone."""

    status = 422
    code = "wrong_prices"
    title = "The prices cannot be published"


class PriceTooLate(Problem):
    """The version would change the price of what is counted or charged already."""

    status = 409
    code = "price_too_late"
    title = "The price change comes too late"


class VersionExists(Problem):
    """Another version of the book starts at the same instant."""

    status = 409
    code = "price_version_exists"
    title = "A price version starts at this instant already"


@transaction.atomic
def publish_price_version(
    *,
    book: models.PriceBook,
    effective_at: datetime,
    token_prices: TokenPrices,
    gpu_prices: GpuPrices,
    now: datetime,
    announced_at: datetime | None = None,
    tier_prices: TierPrices | None = None,
) -> models.PriceVersion:
    """Publish a complete list of prices per 1M tokens and per GPU-hour: `publish_prices`."""
    tokens = {PriceKey(PriceUnit.PER_MTOK, *about): price for about, price in token_prices.items()}
    tiers = {PriceKey(PriceUnit.PER_MTOK, *about): price for about, price in (tier_prices or {}).items()}
    cards = {PriceKey(PriceUnit.PER_GPU_HOUR, model): price for model, price in gpu_prices.items()}
    if len(tokens | tiers) < len(tokens) + len(tiers):
        raise WrongPrices(sentence("Requests are not told apart at 0 input tokens."), field="prices")
    return publish_prices(
        book=book, effective_at=effective_at, prices=tokens | tiers | cards, now=now, announced_at=announced_at
    )


@transaction.atomic
def publish_prices(
    *,
    book: models.PriceBook,
    effective_at: datetime,
    prices: PriceList,
    now: datetime,
    announced_at: datetime | None = None,
) -> models.PriceVersion:
    """Publish a complete list of prices that is in force from an instant; nothing can change it afterwards.

    The instant may lie before usage that is rolled up or charged only where that usage keeps its price: so a price
    for what had none can be given later, while the price of what had one cannot change after the fact
    (`PriceTooLate`). Usage of the book's contracts is cut at the instant from now on, and their tenants are told.
    """
    models.PriceBook.objects.select_for_update(no_key=True).get(pk=book.pk)
    try:
        check_list(prices, where="prices")
    except WrongWording as wrong:
        raise WrongPrices(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong
    require_free(book, effective_at)
    _require_unchanged_past(book, version_of("new", effective_at, prices), now)
    latest = models.PriceVersion.objects.filter(book=book).aggregate(number=Max("number"))["number"] or 0
    version = models.PriceVersion.objects.create(
        book=book, number=latest + 1, announced_at=announced_at or now, effective_at=effective_at
    )
    _store_prices(version, prices)
    deployments = models.TermDeployment.objects.filter(term__contract__price_book=book)
    write_cuts(deployment_ids=sorted(set(deployments.values_list("deployment_id", flat=True))), instants=[effective_at])
    for contract in ruled_contracts(book):
        ensure_cuts(contract=contract)
    write_notices(version=version, now=now)
    return version


def require_free(book: models.PriceBook, effective_at: datetime) -> None:
    """Raise `VersionExists`, with the next minute that is free, where a version starts at the instant already."""
    taken = set(models.PriceVersion.objects.filter(book=book).values_list("effective_at", flat=True))
    free = effective_at
    while free in taken:
        free += timedelta(minutes=1)
    if free != effective_at:
        at = effective_at.isoformat()
        reason = sentence("%(name)s has a version from %(effective_at)s on.", name=book.name, effective_at=at)
        raise VersionExists(reason, field="effective_at", reason=reason, example=free.isoformat())


def _store_prices(version: models.PriceVersion, prices: PriceList) -> None:
    tokens, cards, others = [], [], []
    for key, price in sorted(prices.items()):
        if key.unit == PriceUnit.PER_MTOK:
            about = {"model": key.model, "token_class": key.quantity, "context_over": key.context_over}
            tokens.append(models.TokenPrice(version=version, price_per_mtok=price, **about))
        elif key.unit == PriceUnit.PER_GPU_HOUR:
            cards.append(models.GpuPrice(version=version, accelerator_model=key.model, price_per_gpu_hour=price))
        else:
            named = {"unit": key.unit, "model": key.model, "quantity": key.quantity}
            others.append(models.UnitPrice(version=version, price_per_unit=price, **named))
    models.TokenPrice.objects.bulk_create(tokens)
    models.GpuPrice.objects.bulk_create(cards)
    models.UnitPrice.objects.bulk_create(others)


def _require_unchanged_past(book: models.PriceBook, new: PriceVersion, now: datetime) -> None:
    effective_at = new.effective_at
    versions = models.PriceVersion.objects.filter(book=book)
    following = versions.filter(effective_at__gt=effective_at).order_by("effective_at").first()
    until = following.effective_at if following else None
    before = load_versions(book_ids=[book.id], from_at=effective_at, to_at=effective_at).get(book.id)
    old = before[-1] if before else PriceVersion("none", effective_at)
    for model, quantity, over in _counted(book, effective_at, until, now):
        was = _price(old, model, quantity, over)
        if was is not None and was != _price(new, model, quantity, over):
            longer = sentence(" above %(over)s input tokens", over=over) if over else ""
            unit = QUANTITIES[quantity].price_unit.replace("_", " ").replace("mtok", "1M")
            raise PriceTooLate(
                sentence(
                    "%(quantity)s of %(model)s%(longer)s is counted after %(effective_at)s at %(was)s %(unit)s.",
                    quantity=quantity,
                    model=model,
                    longer=longer,
                    effective_at=effective_at.isoformat(),
                    was=was,
                    unit=unit,
                ),
                field="effective_at",
                reason=sentence("this was counted already, and keeps the price that it was counted at."),
                example=now.isoformat(),
            )
    for model in _leased(book, effective_at, until):
        rate = old.price_per_gpu_hour(model)
        if rate is not None and rate != new.price_per_gpu_hour(model):
            reason = sentence(
                "%(model)s is charged after %(effective_at)s at %(rate)s per GPU-hour.",
                model=model,
                effective_at=effective_at.isoformat(),
                rate=rate,
            )
            raise PriceTooLate(reason, field="effective_at", reason=reason, example=now.isoformat())


def _price(version: PriceVersion, model: str, quantity: str, over: int) -> Decimal | None:
    """The price at which a quantity goes: a part without a price of its own goes at its whole's."""
    own = version.price_of(model, quantity, over)
    if own is None and QUANTITIES[quantity].part_of:
        return version.price_of(model, QUANTITIES[quantity].part_of, over)
    return own


def _counted(
    book: models.PriceBook, effective_at: datetime, until: datetime | None, now: datetime
) -> Iterable[tuple[str, str, int]]:
    deployments = models.TermDeployment.objects.filter(term__contract__price_book=book)
    after = Q(from_at__gte=effective_at)
    if effective_at <= now:
        # Counted up to now without a cut here, so its later part cannot be told from its earlier one.
        after |= Q(from_at__lt=effective_at, to_at__gt=effective_at)
    rows = UsageHour.objects.filter(
        after, deployment_id__in=deployments.values("deployment_id"), quantity__in=list(QUANTITIES)
    )
    if until is not None:
        rows = rows.filter(from_at__lt=until)
    found = rows.order_by("model", "quantity", "context_over").values_list("model", "quantity", "context_over")
    return list(found.distinct())


def _leased(book: models.PriceBook, effective_at: datetime, until: datetime | None) -> Iterable[str]:
    """Return the models of cards whose held time after the instant is charged at the book's price."""
    rated = models.BillingPeriod.objects.filter(contract=OuterRef("term__contract"), rated_at__gt=effective_at)
    held = models.TermAllocation.objects.filter(
        Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=effective_at),
        Exists(rated),
        term__contract__price_book=book,
        term__in=models.TermWording.objects.filter(document__price_per_gpu_hour=None).values("term"),
    )
    if until is not None:
        held = held.filter(allocation__from_at__lt=until)
    models_held = held.values_list("allocation__slice__accelerator__model", flat=True)
    return sorted(set(models_held))
