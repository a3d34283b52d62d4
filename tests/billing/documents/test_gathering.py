"""What is printed of a long document is bounded, and always sums to what the document sums to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents.composing import compose
from billing.documents.gathering import ROWS_MAX, Detail, Printed, printed
from billing.documents.inputs import DocumentInput, DocumentKind, Language, Line, Totals
from billing.documents.paper import Paper, RowKind
from billing.documents.press import print_paper
from billing.rating.rated import Unit
from tests.billing.documents.made import discount_line, invoice, lease_line, share_line
from tests.examples import examples

AMOUNTS = st.decimals(min_value=-500, max_value=9_000, places=2)


@st.composite
def documents(draw: st.DrawFn) -> list[Line]:
    """Lines under some headings, some with parts."""
    rows = draw(st.lists(st.tuples(st.integers(0, 6), AMOUNTS, st.booleans()), min_size=1, max_size=40))
    return [
        replace(
            share_line(place, model=f"model-{heading}") if parts else lease_line(place),
            heading=f"model-{heading}",
            amount=amount,
        )
        for place, (heading, amount, parts) in enumerate(sorted(rows, key=lambda row: row[0]), 1)
    ]


def rows_of(shown: Printed) -> int:
    headings = len({line.heading for line in shown.lines})
    return headings + sum(1 + len(line.parts) for line in shown.lines) + len(shown.sums)


def total(shown: Printed) -> Decimal:
    return sum((*(one.amount for one in shown.lines), *(one.amount for one in shown.sums)), start=Decimal(0))


@settings(max_examples=examples(25))
@given(documents(), st.integers(2, 60))
def test_it_is_never_longer_than_there_is_room_and_sums_to_the_same(lines: list[Line], rows_max: int) -> None:
    shown = printed(lines, rows_max=rows_max)
    assert rows_of(shown) <= rows_max
    assert total(shown) == sum(line.amount for line in lines)
    counted = len(shown.lines) + sum(one.lines for one in shown.sums)
    assert counted == len(lines)
    # Nothing is left out where there is room for it.
    whole = len({line.heading for line in lines}) + sum(1 + len(line.parts) for line in lines)
    assert (shown.detail is Detail.PARTS) == (whole <= rows_max)


def test_parts_go_first_then_lines_then_the_smallest_headings() -> None:
    lines = [share_line(place, model=f"model-{(place - 1) // 2}", amount=f"{place}.00") for place in range(1, 9)]
    assert printed(lines, rows_max=28).lines == tuple(lines)
    assert {line.parts for line in printed(lines, rows_max=27).lines} == {()}
    sums = printed(lines, rows_max=11).sums
    assert [(one.heading, one.lines, one.amount) for one in sums] == [
        ("model-0", 2, Decimal("3.00")),
        ("model-1", 2, Decimal("7.00")),
        ("model-2", 2, Decimal("11.00")),
        ("model-3", 2, Decimal("15.00")),
    ]
    assert sums[0].quantity == 2 * Decimal(26_450_535)
    few = printed(lines, rows_max=3).sums
    assert [(one.heading, one.lines, one.headings, one.amount) for one in few] == [
        ("model-2", 2, 1, Decimal("11.00")),
        ("model-3", 2, 1, Decimal("15.00")),
        ("", 4, 2, Decimal("10.00")),
    ]


def test_what_is_counted_or_taxed_differently_has_no_common_figure() -> None:
    mixed = [replace(lease_line(1), heading="x"), replace(share_line(2, percent="7"), heading="x")]
    [one] = printed(mixed, rows_max=2).sums
    assert (one.quantity, one.unit, one.tax_percent) == (None, Unit.AMOUNT, None)
    [outside] = printed(
        [replace(lease_line(place), tax_category="O", tax_percent=Decimal(0)) for place in (1, 2)], rows_max=1
    ).sums
    assert outside.tax_percent is None
    [taken_off] = printed([discount_line(1), discount_line(2)], rows_max=1).sums
    assert (taken_off.quantity, taken_off.tax_percent, taken_off.amount) == (None, Decimal(19), Decimal("-37.22"))


def long(lines: int, **changes: object) -> DocumentInput:
    rows = tuple(share_line(place, model=f"model-{place}", amount="2.00") for place in range(1, lines + 1))
    subtotal = Decimal(2 * lines)
    tax = subtotal * 19 / 100
    sums = Totals(subtotal=subtotal, tax=tax, total=subtotal + tax, due=subtotal + tax)
    return invoice(lines=rows, totals=sums, **changes)


def rows(paper: Paper) -> list[tuple[str, ...]]:
    [table] = paper.tables
    return [row.cells for row in table.rows if row.kind is RowKind.LINE]


def test_a_paper_of_five_thousand_lines_says_where_the_rest_stands() -> None:
    paper = compose(long(5_000))
    assert len(rows(paper)) == ROWS_MAX
    assert rows(paper)[0] == ("model-1", "26,450,535 tokens", "", "19%", "€2.00")
    assert rows(paper)[-1] == ("4,501 others", "119,053,858,035 tokens", "", "19%", "€9,002.00")
    assert paper.tables[0].rows[-1].under == ("4,501 lines",)
    [note] = [note for note in paper.notes if "5,000" in note]
    assert note == (
        "Its 5,000 lines are printed as sums: each stands with its classes and days in the CSV of its page online, "
        "and in its evidence file."
    )
    assert not any("in grey" in note for note in paper.notes)


def test_a_paper_without_room_for_parts_prints_every_line() -> None:
    paper = compose(long(200, kind=DocumentKind.CREDIT_NOTE))
    assert len(rows(paper)) == 200
    assert "The parts of its 200 lines are not printed: each stands on its page online." in paper.notes
    chinese = compose(long(5_000, language=Language.ZH))
    assert rows(chinese)[-1][0] == "其余 4,501 项"
    assert any("5,000 行" in note for note in chinese.notes)


def test_a_long_paper_is_a_pdf_of_the_same_bytes_each_time() -> None:
    document = long(5_000)
    first, again = (print_paper(compose(document), issued_at=document.issued_at).body for _ in range(2))
    assert first == again
    assert first.startswith(b"%PDF-1.7")
    assert len(first) < 1_000_000
