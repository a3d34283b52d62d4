"""What the tests of prices by the unit are made of: one month, one book, and wordings drawn by Hypothesis."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.rated import Rated
from billing.rating.token_price import rate_token_price
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Stretch, read_wording

FROM = datetime(2026, 3, 1, tzinfo=UTC)
TO = datetime(2026, 4, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 3, 16, 12, tzinfo=UTC)
WINDOW_HOURS = 31 * 24
BOOK = PriceVersion(
    "v1",
    datetime(2025, 1, 1, tzinfo=UTC),
    {
        (model, TokenClass(name)): Decimal(price)
        for model, times in (("small", 1), ("large", 10))
        for name, price in (("input", times), ("cached_input", times), ("output", 4 * times))
    },
    unit_prices={("small", "images"): Decimal("0.04")},
    factors={("", "batch"): Decimal("0.5"), ("", "priority"): Decimal(2)},
)


def wording(**parts: Any) -> TokenPriceWording:
    """Return a wording that was read and checked."""
    return read_wording(TokenPriceWording, {"kind": "token_price", "witness": "gateway", **parts})


def table(*tiers: tuple[int | None, str], mode: str = "graduated", span: str = "period", **more: Any) -> dict[str, Any]:
    """Return a table of tiers in percent, of output unless said otherwise."""
    ends = [{"up_to": up_to, "percent": percent} for up_to, percent in tiers]
    return {"name": "main", "quantities": ["output"], "mode": mode, "span": span, "tiers": ends} | more


def used(
    quantity: str, count: int, *, at: datetime = FROM, model: str = "small", marks: str = "", quality: str = "A"
) -> Used:
    """Return usage of an hour."""
    return Used("d", model, quantity, quality, at, min(at + timedelta(hours=1), TO), count, marks=marks)


def term(
    usage: Iterable[Used],
    *wordings: TokenPriceWording,
    cut_at: datetime = MIDDLE,
    carried: dict[str, int] | None = None,
) -> TermInput:
    """Return a term of 2026 with one wording, or with a second one from `cut_at` on."""
    edges = [FROM, cut_at, TO] if len(wordings) > 1 else [FROM, TO]
    stretches = tuple(
        Stretch(number, start, end, each)
        for number, (start, end, each) in enumerate(zip(edges[:-1], edges[1:], wordings, strict=True), 1)
    )
    facts = tuple(Carried(name=name, value=Decimal(value)) for name, value in (carried or {}).items())
    return TermInput("P-1", "", datetime(2026, 1, 1, tzinfo=UTC), None, stretches, usage=tuple(usage), facts=facts)


def rate(usage: Iterable[Used], *wordings: TokenPriceWording, book: PriceVersion | None = BOOK, **more: Any) -> Rated:
    """Rate the month."""
    versions = (book,) if book else ()
    return rate_token_price(term(usage, *wordings, **more), RatingWindow("USD", "UTC", FROM, TO, TO, versions))


COUNTS = st.integers(0, 40)
USED = st.builds(
    used,
    st.sampled_from(["input", "output", "output"]),
    COUNTS,
    at=st.integers(0, WINDOW_HOURS - 1).map(lambda hours: FROM + timedelta(hours=hours)),
    model=st.sampled_from(["small", "large"]),
    marks=st.sampled_from(["", "batch", "priority", "batch+priority"]),
    quality=st.sampled_from("AES"),
)
PERCENTS = st.sampled_from(["0", "50", "80", "100", "150"])


@st.composite
def tables(draw: st.DrawFn, modes: tuple[str, ...] = ("graduated",)) -> dict[str, Any]:
    """Draw a table with ends among small counts."""
    ends = sorted(draw(st.sets(st.integers(1, 100), max_size=3)))
    tiers = [(end, draw(PERCENTS)) for end in (*ends, None)]
    more = {"together": draw(st.booleans()), "quantities": ["input", "output"]}
    return table(
        *tiers, mode=draw(st.sampled_from(modes)), span=draw(st.sampled_from(["period", "year", "life"])), **more
    )


@st.composite
def wordings(draw: st.DrawFn, modes: tuple[str, ...] = ("graduated",)) -> TokenPriceWording:
    """Draw a wording: a table, a package or neither, perhaps an allowance and an off-peak window."""
    parts: dict[str, Any] = {}
    match draw(st.sampled_from(["tiers", "package", "plain"])):
        case "tiers":
            parts["tiers"] = [draw(tables(modes))]
        case "package":
            package = {"name": "pack", "quantities": ["input", "output"], "units": draw(st.integers(1, 60))}
            parts["packages"] = [
                package | {"amount_per_package": "5", "span": draw(st.sampled_from(["period", "life"]))}
            ]
    if draw(st.booleans()):
        free = {"name": "free", "quantities": ["input", "output"], "units_per_period": draw(st.integers(0, 80))}
        parts["allowances"] = [free]
    if draw(st.booleans()):
        night = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.75"}
        parts["off_peak"] = [night]
    return wording(**parts)
