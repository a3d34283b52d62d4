"""Publishing versions of a price book."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q

from billing import models
from billing.cuts import write_cuts
from billing.money import PRICE_DECIMALS_MAX
from billing.price_versions import load_versions
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.token_share import PART_OF
from metering.context_bands import CONTEXT_BANDS
from metering.models import UsageHour
from tenants.problems import Problem

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
    """Publish a complete list of prices that is in force from an instant; nothing can change it afterwards.

    The instant may lie before usage that is rolled up or charged only where that usage keeps its price: so a price
    for what had none can be given later, while the price of what had one cannot change after the fact
    (`PriceTooLate`). Usage of the book's contracts is cut at the instant from now on.
    """
    models.PriceBook.objects.select_for_update(no_key=True).get(pk=book.pk)
    tier_prices = tier_prices or {}
    _require_prices(token_prices, gpu_prices)
    _require_tiers(tier_prices, token_prices)
    if models.PriceVersion.objects.filter(book=book, effective_at=effective_at).exists():
        raise VersionExists(f"{book.name} has a version from {effective_at.isoformat()} on.")
    _require_unchanged_past(book, _as_rated(effective_at, token_prices, gpu_prices, tier_prices), now)
    latest = models.PriceVersion.objects.filter(book=book).aggregate(number=Max("number"))["number"] or 0
    version = models.PriceVersion.objects.create(
        book=book, number=latest + 1, announced_at=announced_at or now, effective_at=effective_at
    )
    models.TokenPrice.objects.bulk_create(
        models.TokenPrice(
            version=version, model=model, token_class=token_class, context_over=over, price_per_mtok=price
        )
        for (model, token_class, over), price in (_all_requests(token_prices) | dict(tier_prices)).items()
    )
    models.GpuPrice.objects.bulk_create(
        models.GpuPrice(version=version, accelerator_model=model, price_per_gpu_hour=price)
        for model, price in gpu_prices.items()
    )
    deployments = models.TokenShareDeployment.objects.filter(term__contract__price_book=book)
    write_cuts(deployment_ids=sorted(deployments.values_list("deployment_id", flat=True)), instants=[effective_at])
    return version


def _require_prices(token_prices: TokenPrices, gpu_prices: GpuPrices) -> None:
    for model, token_class in token_prices:
        if token_class not in list(TokenClass):
            raise WrongPrices(f"{model}: {token_class!r} is no class of tokens.")
    _require_decimals((*token_prices.values(), *gpu_prices.values()))


def _require_tiers(tier_prices: TierPrices, token_prices: TokenPrices) -> None:
    for model, token_class, over in tier_prices:
        if over not in CONTEXT_BANDS[1:]:
            known = ", ".join(map(str, CONTEXT_BANDS[1:]))
            raise WrongPrices(f"{model}: requests are not told apart at {over} input tokens, only at {known}.")
        if (model, token_class) not in token_prices:
            raise WrongPrices(
                f"{model}: {token_class} has a price above {over} input tokens, and none for shorter requests."
            )
    _require_decimals(tier_prices.values())


def _require_decimals(prices: Iterable[Decimal]) -> None:
    for price in prices:
        if not price.is_finite() or price < 0 or price != round(price, PRICE_DECIMALS_MAX):
            raise WrongPrices(f"{price}: a price is at least 0 and has at most {PRICE_DECIMALS_MAX} decimals.")


def _all_requests(token_prices: TokenPrices) -> dict[tuple[str, str, int], Decimal]:
    return {(*about, 0): price for about, price in token_prices.items()}


def _as_rated(effective_at: datetime, tokens: TokenPrices, gpus: GpuPrices, tiers: TierPrices) -> PriceVersion:
    return PriceVersion(
        "new",
        effective_at,
        {(model, TokenClass(token_class)): price for (model, token_class), price in tokens.items()},
        gpus,
        {(model, TokenClass(token_class), over): price for (model, token_class, over), price in tiers.items()},
    )


def _require_unchanged_past(book: models.PriceBook, new: PriceVersion, now: datetime) -> None:
    effective_at = new.effective_at
    versions = models.PriceVersion.objects.filter(book=book)
    following = versions.filter(effective_at__gt=effective_at).order_by("effective_at").first()
    until = following.effective_at if following else None
    before = load_versions(book_ids=[book.id], from_at=effective_at, to_at=effective_at).get(book.id)
    old = before[-1] if before else PriceVersion("none", effective_at)
    for model, token_class, over in _counted(book, effective_at, until, now):
        was = _price(old, model, token_class, over)
        if was is not None and was != _price(new, model, token_class, over):
            longer = f" above {over} input tokens" if over else ""
            raise PriceTooLate(
                f"{token_class} tokens of {model}{longer} are counted after {effective_at.isoformat()} at {was} per 1M."
            )
    for model in _leased(book, effective_at, until):
        rate = old.price_per_gpu_hour(model)
        if rate is not None and rate != new.price_per_gpu_hour(model):
            raise PriceTooLate(f"{model} is charged after {effective_at.isoformat()} at {rate} per GPU-hour.")


def _price(version: PriceVersion, model: str, token_class: TokenClass, over: int) -> Decimal | None:
    """The price at which tokens of a class go: a part without a price of its own goes at its whole's."""
    own = version.price_per_mtok(model, token_class, over)
    if own is None and token_class in PART_OF:
        return version.price_per_mtok(model, PART_OF[token_class], over)
    return own


def _counted(
    book: models.PriceBook, effective_at: datetime, until: datetime | None, now: datetime
) -> Iterable[tuple[str, TokenClass, int]]:
    deployments = models.TokenShareDeployment.objects.filter(term__contract__price_book=book)
    after = Q(from_at__gte=effective_at)
    if effective_at <= now:
        # Counted up to now without a cut here, so its later part cannot be told from its earlier one.
        after |= Q(from_at__lt=effective_at, to_at__gt=effective_at)
    rows = UsageHour.objects.filter(
        after, deployment_id__in=deployments.values("deployment_id"), quantity__in=list(TokenClass)
    )
    if until is not None:
        rows = rows.filter(from_at__lt=until)
    found = rows.order_by("model", "quantity", "context_over").values_list("model", "quantity", "context_over")
    return [(model, TokenClass(quantity), over) for model, quantity, over in found.distinct()]


def _leased(book: models.PriceBook, effective_at: datetime, until: datetime | None) -> Iterable[str]:
    """Return the models of cards whose held time after the instant is charged at the book's price."""
    rated = models.BillingPeriod.objects.filter(contract=OuterRef("lease__contract"), rated_at__gt=effective_at)
    held = models.LeaseAllocation.objects.filter(
        Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=effective_at),
        Exists(rated),
        lease__contract__price_book=book,
        lease__price_per_gpu_hour__isnull=True,
    )
    if until is not None:
        held = held.filter(allocation__from_at__lt=until)
    models_held = held.values_list("allocation__slice__accelerator__model", flat=True)
    return sorted(set(models_held))
