"""Lines of a period divided by day: the same units and amounts, each day its own."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from billing.rating.by_day import divided
from billing.rating.inputs import RatingWindow, Used
from billing.rating.rated import RatedLine
from billing.rating.token_price import rate_token_price
from billing.rating.token_price_wording import Multiplier, TokenPriceWording
from tests.billing.rating.made import token_line
from tests.billing.rating.priced import BOOK, FROM, TO, USED, table, term, used, wording, wordings
from tests.examples import examples


def by_day(usage: list[Used], agreed: TokenPriceWording) -> tuple[tuple[RatedLine, ...], list[RatedLine]]:
    about = term(usage, agreed)
    lines = rate_token_price(about, RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK,))).lines
    return lines, list(divided(lines, [about], lambda at: at.date().isoformat()))


@settings(max_examples=examples(25))
@given(st.lists(USED, max_size=10), wordings(("graduated", "volume")))
def test_the_days_of_a_line_are_the_line(usage: list[Used], agreed: TokenPriceWording) -> None:
    lines, days = by_day(usage, agreed)
    assert sum((line.exact for line in days), Fraction(0)) == sum((line.exact for line in lines), Fraction(0))
    assert len({line.line_key for line in days}) == len(days)
    whole = Counter[tuple[str, str, str]]()
    parts = Counter[tuple[str, str, str]]()
    for counted, found in ((whole, lines), (parts, days)):
        for line in found:
            for quality, number in line.quality_mix.items():
                counted[line.model, line.token_class, quality] += int(number)
    assert whole == parts


@settings(max_examples=examples(25))
@given(st.lists(USED, max_size=10))
def test_at_one_price_each_day_has_what_was_used_on_it(usage: list[Used]) -> None:
    usage = [one for one in usage if not one.marks]
    _, days = by_day(usage, wording())
    expected = Counter[tuple[str, str, str]]()
    for one in usage:
        if one.count:
            expected[one.model, one.quantity, one.from_at.date().isoformat()] += one.count
    found = Counter[tuple[str, str, str]]()
    for line in days:
        found[line.model, line.token_class, line.from_at.date().isoformat()] += int(line.quantity)
    assert found == expected


def test_the_first_days_fill_the_first_tier() -> None:
    usage = [used("output", 8, at=FROM + timedelta(days=day)) for day in range(3)]
    _, days = by_day(usage, wording(tiers=[table((10, "100"), (None, "50"))]))
    assert [(line.from_at.day, int(line.quantity), int(line.price.amount)) for line in days] == [
        (1, 8, 4),
        (2, 2, 4),
        (2, 6, 2),
        (3, 8, 2),
    ]


def test_lines_of_other_terms_stay_as_they_are() -> None:
    line = token_line("other", 5)
    assert list(divided([line], [], lambda at: at.isoformat())) == [line]


CALLERS = st.sampled_from(["", "key-a|search", "key-b|"])


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(USED, CALLERS), max_size=10), wordings(("graduated", "volume")))
def test_callers_change_no_line_and_their_parts_are_the_days(
    said: list[tuple[Used, str]], agreed: TokenPriceWording
) -> None:
    plain, days = by_day([used for used, _ in said], agreed)
    lines, parts = by_day([structs.replace(used, caller=caller) for used, caller in said], agreed)
    assert lines == plain
    assert len({line.line_key for line in parts}) == len(parts)
    whole, divided_sums = Counter[tuple[str, object]](), Counter[tuple[str, object]]()
    for counted, found in ((whole, days), (divided_sums, parts)):
        for line in found:
            about = (line.term_ref, line.model, line.token_class, str(line.price.amount), line.from_at.date())
            counted["units", about] += int(line.quantity)
    assert +whole == +divided_sums


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(USED, CALLERS), max_size=10))
def test_at_one_price_each_caller_has_what_it_used(said: list[tuple[Used, str]]) -> None:
    usage = [structs.replace(used, caller=caller) for used, caller in said if not used.marks]
    _, parts = by_day(usage, wording())
    expected, found = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for one in usage:
        expected[one.caller, one.model, one.quantity] += one.count
    for line in parts:
        found[line.caller, line.model, line.token_class] += int(line.quantity)
    assert +found == +expected


def test_a_batch_is_paid_by_who_sent_it() -> None:
    agreed = wording(multipliers=(Multiplier(mark="batch", factor=Decimal("0.5")),))
    plain = [structs.replace(used("output", 10, at=FROM), caller="web|")]
    batch = [structs.replace(used("output", 10, at=FROM), caller="night|", marks="batch")]
    _, parts = by_day([*batch, *plain], agreed)
    assert {(line.caller, line.marks, int(line.quantity)) for line in parts} == {
        ("web|", "", 10),
        ("night|", "batch", 10),
    }
    owed = {line.caller: line.amount for line in parts}
    assert owed["night|"] * 2 == owed["web|"]


def test_the_day_that_fills_a_tier_is_shared_by_its_callers_in_proportion() -> None:
    usage = [structs.replace(used("output", count, at=FROM), caller=name) for name, count in (("a|", 15), ("b|", 5))]
    _, parts = by_day(usage, wording(tiers=[table((8, "100"), (None, "50"))]))
    assert [(line.caller, int(line.quantity), int(line.price.amount)) for line in parts] == [
        ("a|", 6, 4),
        ("b|", 2, 4),
        ("a|", 9, 2),
        ("b|", 3, 2),
    ]
