"""An invoice of more lines than a page holds is read page by page, and says where the others are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice
from billing.pages.invoice_lines import HASHED_BYTES_MAX, LINES_SHOWN_MAX, PAGE_LINES, PARTS_SHOWN_MAX, asked_of
from billing.queries.invoice_detail import Asked
from tests.billing.pages.reading import text_of
from tests.billing.world import APRIL, MARCH, make_world
from tests.factories import Cast
from tests.kept import kept

MODELS = LINES_SHOWN_MAX + 20


@pytest.mark.parametrize(
    ("query", "number", "line"),
    [
        ({}, 1, 0),
        ({"page": "3"}, 3, 0),
        ({"page": "0"}, 1, 0),
        ({"page": "-2"}, 1, 0),
        ({"page": "x", "line": "x"}, 1, 0),
        ({"page": "1" * 40, "line": "²"}, 1, 0),
        ({"line": "120"}, 1, 120),
    ],
)
def test_an_address_asks_for_a_page_or_the_line_to_open(query: dict[str, str], number: int, line: int) -> None:
    parts_max = (PARTS_SHOWN_MAX, HASHED_BYTES_MAX, PARTS_SHOWN_MAX)
    assert asked_of(query) == Asked(LINES_SHOWN_MAX, number, line, *parts_max, PAGE_LINES)


def test_everything_is_looked_at_where_that_is_asked_for() -> None:
    asked = Asked(LINES_SHOWN_MAX, 2, 0, None, None, PARTS_SHOWN_MAX, PAGE_LINES)
    assert asked_of({"proof": "now", "page": "2"}) == asked
    assert asked_of({"proof": "later"}) == asked_of({})


def make_wide(cast: Cast) -> Invoice:
    """A line for each of many models, two parts each."""
    names = [f"model-{place:03}" for place in range(MODELS)]
    world = make_world(
        tokens={(name, kind): "0.30" for name in names for kind in ("input", "output")},
        parties=(cast.provider, cast.tenant),
    )
    shared = world.share(percent="100", rolled_to_at=APRIL)
    for name in names:
        shared.use({"input": 1_000_000, "output": 500_000}, at=MARCH, model=name)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL + timedelta(days=1)).invoice
    assert invoice is not None
    return invoice


invoice = kept(make_wide)


@pytest.mark.django_db
def test_lines_of_both_pages_are_all_lines_and_the_total_stands_on_each(
    cast: Cast, client: Client, invoice: Invoice
) -> None:
    client.force_login(cast.alice)
    path = f"/t/invoices/{invoice.number}/"
    first, second, third = (client.get(path, {"page": page}) for page in ("1", "2", "3"))
    words = [text_of(page) for page in (first, second, third)]
    for place in range(MODELS):
        assert [f"model-{place:03} $0.45" in page for page in words] == [
            place // PAGE_LINES == number for number in range(3)
        ]
    assert all("Total $54.00" in page for page in words)
    assert "1 to 50 of 120" in words[0]
    assert "101 to 120 of 120" in words[2]
    assert f'rel="next" href="{path}?page=2"' in first.content.decode()
    assert 'rel="prev"' not in first.content.decode()
    assert f'rel="prev" href="{path}?page=1"' in second.content.decode()
    assert f'rel="next" href="{path}?page=3"' in second.content.decode()
    assert 'rel="next"' not in third.content.decode()


@pytest.mark.django_db
def test_a_line_opens_on_its_page_for_both_sides(cast: Cast, client: Client, invoice: Invoice) -> None:
    for user, path in ((cast.alice, "/t/invoices/"), (cast.petra, "/p/invoices/")):
        client.force_login(user)
        page = client.get(f"{path}{invoice.number}/", {"line": "117"})
        content = page.content.decode()
        assert content.count('<details class="tbl" open>') == 1
        assert 'id="line-117"' in content
        assert "101 to 120 of 120" in text_of(page)
        assert f'rel="prev" href="{path}{invoice.number}/?page=2"' in content


@pytest.mark.django_db
def test_a_long_evidence_file_waits_to_be_looked_at(cast: Cast, client: Client, invoice: Invoice) -> None:
    client.force_login(cast.alice)
    text = invoice.evidence.document
    assert len(text) < HASHED_BYTES_MAX
    page = client.get(f"/t/invoices/{invoice.number}/")
    assert "Not compared yet: this invoice has many parts" in text_of(page)
    assert "Not looked at yet: it is large" not in text_of(page)
    assert "Check everything now" in text_of(page)
