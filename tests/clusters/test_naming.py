"""Names from outside fit their columns and stay apart."""

from hypothesis import given
from hypothesis import strategies as st

from clusters.naming import fitted


@given(st.text(max_size=100), st.integers(17, 80))
def test_a_fitted_name_fits_and_a_short_one_is_itself(text: str, limit: int) -> None:
    assert len(fitted(text, limit)) <= limit
    if len(text) <= limit:
        assert fitted(text, limit) == text


@given(st.text(min_size=40, max_size=60), st.text(min_size=40, max_size=60))
def test_two_names_stay_two(left: str, right: str) -> None:
    assert (fitted(left, 32) == fitted(right, 32)) == (left == right)
