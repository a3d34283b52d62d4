"""Things the tests of rating are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.rated import WHOLE_PERCENT, RatedLine, TermKind, Unit, per_mtok
from clusters.occupancy import Hold

START = datetime(2026, 3, 10, tzinfo=UTC)
END = datetime(2026, 3, 11, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Return an instant so many hours after START."""
    return START + timedelta(hours=hours)


def version(
    version_id: str,
    *,
    from_hours: float = -1_000,
    tokens: Mapping[TokenClass, str] | None = None,
    gpu: str | None = None,
    tiers: Mapping[tuple[TokenClass, int], str] | None = None,
) -> PriceVersion:
    """Return a price version for the model `sample` and the accelerator `H100`."""
    return PriceVersion(
        version_id=version_id,
        effective_at=at(from_hours),
        token_prices={("sample", name): Decimal(price) for name, price in (tokens or {}).items()},
        gpu_prices={} if gpu is None else {"H100": Decimal(gpu)},
        tier_prices={("sample", name, over): Decimal(price) for (name, over), price in (tiers or {}).items()},
    )


def hold(
    from_hours: float,
    to_hours: float | None,
    *,
    slice_ref: str = "s0",
    share: int = 1_000,
    model: str = "H100",
) -> Hold:
    """Return a hold of one slice between two offsets from START."""
    end = None if to_hours is None else at(to_hours)
    return Hold(slice_ref, share, at(from_hours), end, accelerator_model=model)


def token_line(
    key: str,
    tokens: int,
    *,
    price: str = "1",
    share: Decimal = WHOLE_PERCENT,
    model: str = "sample",
    token_class: str = "output",
    mix: Mapping[str, int] | None = None,
    from_at: datetime = START,
) -> RatedLine:
    """Return a rated line of tokens under the key `key`."""
    return RatedLine(
        line_key=key,
        term_kind=TermKind.TOKEN_SHARE,
        term_ref="S-1",
        contract_version=1,
        price_version_id="v1",
        rule="token_share_list_price",
        model=model,
        token_class=token_class,
        quantity=Decimal(tokens),
        unit=Unit.TOKENS,
        price=per_mtok(Decimal(price)),
        share_percent=share,
        quality_mix={q: Decimal(n) for q, n in (mix or {"A": tokens}).items()},
        from_at=from_at,
        to_at=END,
    )
