"""What holds of a contract's prices whatever its book and rule are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.price_lists import PriceKey, prices_of
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import (
    PriceLock,
    PricePin,
    PriceRule,
    RiseCap,
    contract_versions,
    price_row,
    row_id,
    takes_effect_at,
)
from billing.rating.rated import PriceUnit
from billing.rating.wording import Stretch, read_wording, write_wording
from tests.billing.rating.made import START
from tests.examples import examples

DAY = timedelta(days=1)
FOREVER = datetime.max.replace(tzinfo=UTC)
CLASSES = (TokenClass.OUTPUT, TokenClass.INPUT)
KEYS = [PriceKey(PriceUnit.PER_MTOK, "sample", name) for name in CLASSES]
OWN = PriceRow(model="sample", quantity="output", price_per_mtok=Decimal(7))
SPAN = 800


@st.composite
def books(draw: st.DrawFn) -> list[PriceVersion]:
    """Draw a book whose first version is in force at START and prices both classes; later ones may leave one out."""
    days = [-5, *sorted(draw(st.sets(st.integers(1, SPAN), max_size=4)))]
    found = []
    for place, day in enumerate(days):
        prices = {
            ("sample", name): draw(st.decimals(0, 9, places=2))
            for name in CLASSES
            if place == 0 or draw(st.integers(0, 4))
        }
        told = START + (day - draw(st.integers(0, 40))) * DAY
        found.append(PriceVersion(str(UUID(int=place + 1)), START + day * DAY, prices, announced_at=told))
    return found


DAYS = st.integers(0, SPAN)
RULES = st.builds(
    PriceRule,
    notice_days=st.sampled_from([0, 0, 14, 30]),
    lock=st.one_of(st.none(), DAYS.map(lambda day: PriceLock(from_at=START, to_at=START + (day + 1) * DAY))),
    rise_cap=st.one_of(
        st.none(),
        st.integers(0, 50).map(lambda percent: RiseCap(percent_per_year=Decimal(percent), from_at=START)),
    ),
    overrides=st.sampled_from([(), (), (OWN,)]),
)


def agreed(rule: PriceRule) -> list[Stretch[PriceRule]]:
    return [Stretch(1, START, FOREVER, rule)]


def read(book: list[PriceVersion], rule: PriceRule, to_day: int = SPAN + 50) -> tuple[PriceVersion, ...]:
    return contract_versions(book, agreed(rule), zone="UTC", from_at=START, to_at=START + to_day * DAY)


def at_day(found: tuple[PriceVersion, ...], day: int) -> dict[PriceKey, Decimal]:
    started = [one for one in found if one.effective_at <= START + day * DAY]
    return prices_of(started[-1]) if started else {}


@settings(max_examples=examples(25))
@given(books(), RULES)
def test_versions_of_a_contract_start_one_after_the_other_under_ids_that_mean_one_list(
    book: list[PriceVersion], rule: PriceRule
) -> None:
    found = read(book, rule)
    starts = [one.effective_at for one in found]
    assert starts == sorted(set(starts))
    by_id = {one.version_id: prices_of(one) for one in found}
    assert all(prices_of(one) == by_id[one.version_id] for one in found)
    known = {one.version_id for one in book}
    assert {row_id(one.version_id) for one in found} <= known
    assert all(str(price_row(one.version_id)) in known for one in found)


@settings(max_examples=examples(25))
@given(books(), RULES)
def test_a_version_under_its_own_id_has_just_the_books_prices(book: list[PriceVersion], rule: PriceRule) -> None:
    originals = {one.version_id: prices_of(one) for one in book}
    for one in read(book, rule):
        if one.version_id in originals:
            assert prices_of(one) == originals[one.version_id]


@settings(max_examples=examples(25))
@given(books(), RULES, DAYS)
def test_an_override_is_the_price_at_every_moment(book: list[PriceVersion], rule: PriceRule, day: int) -> None:
    if rule.overrides:
        assert at_day(read(book, rule), day)[KEYS[0]] == 7


@settings(max_examples=examples(25))
@given(books(), st.integers(1, SPAN), DAYS)
def test_a_locked_price_stands_until_the_lock_ends(book: list[PriceVersion], end: int, day: int) -> None:
    rule = PriceRule(lock=PriceLock(from_at=START, to_at=START + end * DAY))
    found = at_day(read(book, rule), day)
    if day < end:
        assert found == prices_of(book[0])
    else:
        assert found == at_day(tuple(book), day)


@settings(max_examples=examples(25))
@given(books(), DAYS)
def test_a_pinned_version_stands_for_what_it_prices(book: list[PriceVersion], day: int) -> None:
    pinned = book[-1]
    found = at_day(read(book, PriceRule(pin=PricePin(price_version_id=UUID(pinned.version_id)))), day)
    assert found == {**at_day(tuple(book), day), **prices_of(pinned)}


@settings(max_examples=examples(25))
@given(books(), RULES, st.permutations(range(5)))
def test_the_order_of_a_book_does_not_matter(book: list[PriceVersion], rule: PriceRule, order: list[int]) -> None:
    mixed = [book[place] for place in order if place < len(book)]
    assert read(mixed, rule) == read(book, rule)


@settings(max_examples=examples(25))
@given(books(), RULES, st.integers(1, SPAN))
def test_what_comes_later_does_not_change_what_was_in_force(
    book: list[PriceVersion], rule: PriceRule, until: int
) -> None:
    known = [one for one in book if one.effective_at < START + until * DAY]
    whole, early = read(book, rule, until), read(known, rule, until)
    assert [at_day(whole, day) for day in range(0, until, 20)] == [at_day(early, day) for day in range(0, until, 20)]


@settings(max_examples=examples(25))
@given(books(), RULES)
def test_a_version_takes_effect_not_before_its_instant_and_only_where_a_price_changes(
    book: list[PriceVersion], rule: PriceRule
) -> None:
    new = book[-1]
    until = START + (SPAN + 400) * DAY
    at = takes_effect_at(book, agreed(rule), new.version_id, zone="UTC", until=until)
    if at is None:
        return
    assert new.effective_at <= at < until
    moment = {"zone": "UTC", "from_at": at, "to_at": at + timedelta(seconds=1)}
    with_it, without = (
        contract_versions(each, agreed(rule), **moment)  # type: ignore[arg-type]  # one mapping of two kinds
        for each in (book, book[:-1])
    )
    assert [prices_of(one) for one in with_it] != [prices_of(one) for one in without]


@settings(max_examples=examples(25))
@given(books(), st.decimals(0, 9, places=2))
def test_a_floating_contract_is_changed_when_the_book_is(book: list[PriceVersion], price: Decimal) -> None:
    at = START + (SPAN + 1) * DAY
    new = PriceVersion(str(UUID(int=99)), at, {("sample", TokenClass.OUTPUT): price}, announced_at=at)
    same = prices_of(new) == prices_of(book[-1])
    found = takes_effect_at([*book, new], [], new.version_id, zone="UTC", until=at + DAY)
    assert found == (None if same else at)


@settings(max_examples=examples(25))
@given(RULES)
def test_a_rule_is_a_document_that_is_read_back(rule: PriceRule) -> None:
    assert read_wording(PriceRule, write_wording(rule)) == rule
    assert rule.floats == (rule == PriceRule())
