"""No unit of usage is priced twice, and none is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.billable import billable, less, take, without
from billing.rating.quantities import QUANTITIES
from tests.examples import examples

MIXES = st.dictionaries(st.sampled_from("AESQ"), st.integers(0, 10**18), max_size=4)
USED = st.dictionaries(st.sampled_from(list(QUANTITIES)), MIXES)
PARTS = st.sets(st.sampled_from([row.name for row in QUANTITIES.values() if row.part_of]))


@settings(max_examples=examples(25))
@given(USED, PARTS)
def test_what_is_priced_is_what_was_counted_less_parts_billed_inside(
    used: dict[str, dict[str, int]], parts: set[str]
) -> None:
    found = {each.quantity: each for each in billable(used, parts)}
    for name, quantity in QUANTITIES.items():
        if quantity.part_of:
            continue
        inside = [row.name for row in QUANTITIES.values() if row.part_of == name]
        priced = sum(sum(found[each].mix.values()) for each in (name, *inside) if each in found)
        assert priced == sum(used.get(name, {}).values())


@settings(max_examples=examples(25))
@given(MIXES, st.integers(0, 10**19))
def test_a_mix_divides_exactly(mix: dict[str, int], count: int) -> None:
    count = min(count, sum(mix.values()))
    taken, rest = take(mix, count)
    assert sum(taken.values()) == count
    assert all(number > 0 for number in (*taken.values(), *rest.values()))
    assert {quality: taken.get(quality, 0) + rest.get(quality, 0) for quality in mix} == mix


def test_the_surest_is_taken_first_and_the_least_sure_given_up_first() -> None:
    assert take({"E": 5, "A": 5}, 7) == ({"A": 5, "E": 2}, {"E": 3})
    assert less({"A": 5, "E": 5}, 7) == {"A": 3, "E": 0}


def test_a_part_leaves_its_whole_quality_by_quality() -> None:
    assert without({"A": 10, "E": 5}, {"A": 4, "E": 1}) == {"A": 6, "E": 4}
    assert without({"A": 10}, {"E": 4}) == {"A": 6}
