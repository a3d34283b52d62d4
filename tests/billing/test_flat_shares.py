"""What flat shares come to is what rating makes of them, to the last digit; what is not flat is rated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.bases import Shown
from billing.basis import PeriodBasis
from billing.flat_shares import FREE_FIELDS, flat_lines, flat_refs
from billing.queries.sheet_rows import rows_of
from billing.queries.usage import RatedUsage, part_of
from billing.queries.usage_sheet import EVERYTHING, Chosen, saved_of, total_of
from billing.queries.usage_sums import bills_of, overview_of
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.discount import DiscountWording
from billing.rating.inputs import Carried
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch
from billing.usage_reading import Series
from tests.billing.rating.share_made import APRIL, BEFORE, MAY, april, month, term, wording
from tests.billing.rating.test_share_lines__sums import TIERS
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from billing.rating.inputs import RatingWindow

MODELS = ("sample", "other")
BAND = 128_000
CALLERS = ("", "k1|", "k1|blue", "k2|blue")
PRICES = ("0", "0.28", "1.1", "0.000001", "12.345678", "0.07", "2.50", "3.141592653589")
PERCENTS = ("0.5", "30", "33.3", "66.6667", "100")
CHOICES = (EVERYTHING, Chosen("sample"), Chosen(by_caller=True), Chosen(key_id="k1"), Chosen("other", project="blue"))


@dataclass(frozen=True)
class Made:
    """A basis without usage, and the series of its share."""

    basis: PeriodBasis
    series: list[Series]
    is_told: bool


def made(random: Random) -> Made:
    """Two models of two deployments over some days, their prices changed at an odd instant, in one zone or another."""
    zone = random.choice(["UTC", "Asia/Kolkata", "America/New_York"])
    end = april(random.randint(2, 5), random.choice([0, 7]))
    changed = april(random.randint(1, 3), random.choice([0, 5, 23]))
    dates = [BEFORE, *([changed] if random.random() < 0.4 and changed < end else [])]
    window = month(rated_to=end, zone=zone, versions=[version(random, f"v{at:%d%H}", at) for at in dates])
    is_told = random.random() < 0.5
    series = [one for name in MODELS for one in used_of(random, name, cut(window), is_told=is_told)]
    rows = [{"model": "sample", "share_percent": "12.5"}, {"token_class": "output", "share_percent": "0"}]
    words = wording(share_percent=random.choice(PERCENTS), share_by=random.sample(rows, random.randint(0, 2)))
    return Made(PeriodBasis("C-1", 1, window, (term(words, window=window),)), series, is_told)


def version(random: Random, name: str, at: datetime) -> PriceVersion:
    """Prices of most classes; some of long requests, and a factor that some marked requests go at."""
    often = {TokenClass.CACHED_INPUT: 0.7, TokenClass.REASONING: 0.4}
    some = [(model, each) for model in MODELS for each in TokenClass if random.random() < often.get(each, 0.97)]
    tiers = [(model, each, BAND) for model, each in some if random.random() < 0.1]
    return PriceVersion(
        name,
        at,
        token_prices={about: Decimal(random.choice(PRICES)) for about in some},
        tier_prices={about: Decimal(random.choice(PRICES)) for about in tiers},
        factors={("", "batch"): Decimal("0.5")} if random.random() < 0.5 else {},
    )


def cut(window: RatingWindow) -> list[tuple[datetime, datetime]]:
    """The days of a window in its zone, cut where prices change."""
    local = ZoneInfo(window.zone)
    days = (datetime.combine(APRIL.date() + timedelta(days=n), time.min, local) for n in range(9))
    inner = {at for at in (*days, *(one.effective_at for one in window.versions)) if window.from_at < at < window.to_at}
    edges = [window.from_at, *sorted(inner), window.to_at]
    return list(pairwise(edges))


def used_of(
    random: Random, model: str, stretches: list[tuple[datetime, datetime]], *, is_told: bool
) -> Iterator[Series]:
    """What was used of a model: mostly less of a part than of its whole, and mostly without marks."""
    marks = random.choice(["", "", "", "batch", "test", "interrupted", "priority+test"])
    callers = random.sample(CALLERS, random.randint(1, 3)) if is_told else [""]
    odd = random.random() < 0.1
    for deployment, over in (("d1", 0), ("d2", 0), ("d2", BAND))[: random.randint(1, 3)]:
        counts: dict[str, list[Any]] = {each: [] for each in TokenClass}
        for start, end in stretches:
            for caller in callers:
                whole = random.choice([0, random.randint(1, 9_999_999_999)])
                for each in TokenClass:
                    part = each in (TokenClass.CACHED_INPUT, TokenClass.REASONING)
                    count = random.randint(0, whole + 5 * odd) if part else whole
                    if count:
                        counts[each].append((start, end, caller, count))
        for name, found in counts.items():
            if found and (name in ("input", "output") or random.random() < 0.7):
                yield Series(deployment, model, str(name), "AE"[len(found) % 2], over, marks, found)


def shown(one: Made, *, is_flat: bool) -> RatedUsage:
    """What pages show of it, worked out as a flat share, or rated."""
    window, [share] = one.basis.window, one.basis.terms
    basis, series = one.basis, {share.ref: one.series}
    if not is_flat:
        whole = tuple(used for each in one.series for used in each.used())
        basis, series = replace(basis, terms=(replace(share, usage=whole),)), {}
    local = ZoneInfo(window.zone)
    part = part_of(Shown(basis, series), lambda at: at.astimezone(local).date().isoformat())
    summed = part_of(Shown(basis, series), None)
    return RatedUsage(
        window.from_at, window.to_at, window.zone, window.currency, (window.currency,), (part,), compared=(summed,)
    )


def figures(usage: RatedUsage) -> tuple[Any, ...]:
    """Everything that pages and the API show of ratings, as it is written: 1.0 is not 1.00."""
    bills = bills_of(usage)
    return (
        repr(overview_of(usage, bills)),
        [repr(row) for row in rows_of(usage, bills, usage.zone)],
        [repr(saved_of(usage, chosen)) for chosen in CHOICES],
        [
            repr(total_of(parts, usage.currency, Chosen(model)))
            for parts in (usage.parts, usage.compared)
            for model in ("", *MODELS)
        ],
    )


@settings(max_examples=examples(80), deadline=None)
@given(st.randoms(use_true_random=False))
def test_flat_shares_come_to_what_they_are_rated_to(random: Random) -> None:
    one = made(random)
    assert figures(shown(one, is_flat=True)) == figures(shown(one, is_flat=False))


def of_day(tokens: int, token_class: str = "output", day: int = 2, caller: str = "", **more: Any) -> Series:
    counts = [(april(day), april(day + 1), caller, tokens)]
    return msgspec.structs.replace(Series("d1", "sample", token_class, "A", 0, "", counts), **more)


def test_a_flat_share_makes_no_line_of_a_day() -> None:
    one = Made(PeriodBasis("C-1", 1, month(), (term(wording()),)), [of_day(2_000_000), of_day(1, day=3)], is_told=False)
    [part] = shown(one, is_flat=True).parts
    assert part.rated.lines == ()
    [line] = part.flat
    assert (line.exact_amount, line.base_amount) == (Decimal("0.6000003"), Decimal("2.000001"))
    assert {day.day: tokens.output for (day, _), tokens in line.tokens.items()} == {2: 2_000_000, 3: 1}


ONE = {("sample", TokenClass.OUTPUT): Decimal(1)}
PRICED = PriceVersion("v1", BEFORE, token_prices=ONE, factors={("", "batch"): Decimal(2)})
TINY = replace(PRICED, token_prices={("sample", TokenClass.OUTPUT): Decimal("0.0000000000001")})
LATER = replace(PRICED, version_id="v2", effective_at=april(3))


@pytest.mark.parametrize(
    ("series", "versions"),
    [
        pytest.param([of_day(5), of_day(6, "reasoning")], [PRICED], id="more of a part than of its whole"),
        pytest.param([of_day(5, "input")], [PRICED], id="no price"),
        pytest.param([of_day(5)], [LATER], id="no prices yet"),
        pytest.param([of_day(5, marks="batch+test")], [PRICED], id="a mark with a factor"),
        pytest.param([of_day(5, marks="interrupted")], [PRICED], id="an answer that broke off"),
        pytest.param([of_day(5, caller="k|"), of_day(5, day=4)], [PRICED, LATER], id="callers and two prices"),
        pytest.param([of_day(5)], [TINY], id="beyond the digits of a charge"),
    ],
)
def test_a_model_that_has_to_be_rated_is_left_and_no_other(series: list[Series], versions: list[PriceVersion]) -> None:
    prices = {("other", TokenClass.OUTPUT): Decimal(1)}
    window = month(versions=[replace(each, token_prices={**each.token_prices, **prices}) for each in versions])
    plain = of_day(7, day=4, model="other")
    lines, rest = flat_lines(term(wording()), window, [*series, plain])
    assert [line.model for line in lines] == ["other"]
    assert rest == series


@pytest.mark.parametrize(
    "words",
    [
        {"tiers": TIERS},
        {"exclusions": [{"rule": "tests"}]},
        {"guarantee": {"amount_per_span": "5"}},
        {"cap": {"amount_per_span": "5"}},
        {"hybrid": {"rent_amount_per_span": "5"}},
        {"schedule": [{"from_month": 1, "share_percent": "20"}]},
        {"base": "certified_revenue", "statements": {"due_days": 9}},
        {"reserve": {"percent": "5", "held_days": 9}},
    ],
    ids=lambda words: next(iter(words)),
)
def test_what_looks_at_more_than_a_price_is_no_flat_share(words: dict[str, Any]) -> None:
    assert flat_refs(PeriodBasis("C-1", 1, month(), (term(wording()),))) == {"S-1"}
    assert not flat_refs(PeriodBasis("C-1", 1, month(), (term(wording(**words)),)))


def test_facts_and_terms_that_look_at_lines_of_others_leave_no_share_flat() -> None:
    share = term(wording())
    discount = replace(share, ref="DC-1", stretches=(Stretch(1, APRIL, MAY, DiscountWording(percent=Decimal(5))),))
    fact = Carried(name="reserve_amount", value=Decimal(5))
    assert not flat_refs(PeriodBasis("C-1", 1, month(), (share, discount)))
    assert not flat_refs(PeriodBasis("C-1", 1, month(), (share,), facts=(fact,)))
    assert not flat_refs(PeriodBasis("C-1", 1, month(), (replace(share, facts=(fact,)),)))


def test_what_a_wording_may_say_is_known() -> None:
    fields = {field.name for field in msgspec.structs.fields(TokenShareWording)}
    assert fields >= FREE_FIELDS
