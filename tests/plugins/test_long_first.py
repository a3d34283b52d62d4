"""Long tests come first, those that wait in one worker's stretch, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.long_first import spread

modules = st.lists(st.lists(st.integers(), min_size=1, max_size=5), max_size=12)


def test_one_worker_begins_with_those_that_wait_and_the_others_with_their_share_of_the_busy_ones() -> None:
    short = [["s1", "s2", "s3"], ["s4", "s5", "s6"]]
    found = spread([["w1", "w2"], ["w3"]], [["a1", "a2"], ["b1"], ["c1"]], short, 3)
    assert found == ["w1", "w2", "w3", "s1", "s2", "a1", "a2", "c1", "s3", "s4", "b1", "s5", "s6"]


def test_a_worker_alone_begins_with_all_of_them() -> None:
    assert spread([["w1"]], [["a1"], ["b1"]], [["s1"]], 1) == ["w1", "a1", "b1", "s1"]


@given(waiting=modules, busy=modules, short=modules, workers=st.integers(1, 5))
def test_every_test_is_there_once(
    waiting: list[list[int]], busy: list[list[int]], short: list[list[int]], workers: int
) -> None:
    given_tests = [test for tests in [*waiting, *busy, *short] for test in tests]
    assert sorted(spread(waiting, busy, short, workers)) == sorted(given_tests)
