"""Every worked case comes out exactly, and the page prints what the tests run."""

import pytest

from tests.cases.load import Case, load_cases
from tests.cases.render import BEGIN, END, PAGE, with_cases
from tests.cases.run import KINDS, plain, run

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gives_exactly_what_it_must(case: Case) -> None:
    assert run(case) == case.gives


def test_every_kind_of_case_is_used() -> None:
    assert {case.kind for case in CASES} == set(KINDS)


def test_the_page_prints_the_cases_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_cases(page, CASES) == page
    for case in CASES:
        assert f"### {case.title}\n" in page


def test_a_changed_case_changes_the_page() -> None:
    page = f"before\n{BEGIN}stale\n{END}after\n"
    written = with_cases(page, CASES[:1])
    assert "stale" not in written
    assert CASES[0].gives_text in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert with_cases(written, CASES[:1]) == written


def test_numbers_print_plainly() -> None:
    from decimal import Decimal
    from fractions import Fraction

    assert plain(Fraction(7, 3)) == "7/3"
    assert plain(Decimal("5.0064162")) == "5.0064162"
    assert plain(Decimal("0.054399000")) == "0.054399"
    assert plain(100_000_000_000) == "100000000000"
    assert plain(Decimal("-0.25")) == "-0.25"
    assert plain(0) == "0"
