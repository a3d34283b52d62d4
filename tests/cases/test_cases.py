"""Every worked case comes out exactly, and the page prints what the tests run."""

from pathlib import Path

import pytest

from tests.cases.load import Case, load_cases
from tests.cases.plainly import plain
from tests.cases.render import BEGIN, END, PAGES, cases_of, with_cases
from tests.cases.run import KINDS, PLATFORM_KINDS, run

CASES = load_cases()
IN_MEMORY = [case for case in CASES if case.kind not in PLATFORM_KINDS]
ON_THE_PLATFORM = [case for case in CASES if case.kind in PLATFORM_KINDS]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", ON_THE_PLATFORM, ids=lambda case: case.name)
def test_case_comes_out_of_the_platform_exactly_as_it_must(case: Case) -> None:
    assert run(case) == case.gives


@pytest.mark.parametrize("case", IN_MEMORY, ids=lambda case: case.name)
def test_case_gives_exactly_what_it_must(case: Case) -> None:
    assert run(case) == case.gives


def test_every_kind_of_case_is_used() -> None:
    assert {case.kind for case in CASES} == set(KINDS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_prints_its_cases_as_they_are(path: Path) -> None:
    page, cases = path.read_text(encoding="utf-8"), cases_of(path, CASES)
    assert with_cases(page, cases) == page
    for case in cases:
        assert f"### {case.title}\n" in page


def test_every_case_is_on_one_page() -> None:
    assert sorted(case.name for path in PAGES for case in cases_of(path, CASES)) == [case.name for case in CASES]


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
