"""Long tests come first in each worker's stretch, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.long_first import spread

modules = st.lists(st.lists(st.integers(), min_size=1, max_size=5), max_size=12)


def test_each_worker_begins_with_its_share_of_the_long_ones() -> None:
    found = spread([["a1", "a2"], ["b1"], ["c1"]], [["s1", "s2", "s3"], ["s4", "s5", "s6"]], 2)
    assert found == ["a1", "a2", "c1", "s1", "s2", "b1", "s3", "s4", "s5", "s6"]


@given(long=modules, short=modules, workers=st.integers(1, 5))
def test_every_test_is_there_once(long: list[list[int]], short: list[list[int]], workers: int) -> None:
    given_tests = [test for tests in [*long, *short] for test in tests]
    assert sorted(spread(long, short, workers)) == sorted(given_tests)
