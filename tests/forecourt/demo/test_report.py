"""The report's figures are read from the books; a check that does not hold says what was found."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest

from forecourt.demo import report
from forecourt.demo.plan import instant, unix_ms
from forecourt.demo.report import Check, equal
from tests.billing.world import APRIL, MARCH
from tests.filled import fill
from tests.forecourt.demo.worlds import small_plan

if TYPE_CHECKING:
    from forecourt.demo.plan import Plan
    from tests.factories import Cast


@pytest.fixture
def march() -> Plan:
    """A plan whose world lasts for March, as the filled world does."""
    return msgspec.structs.replace(small_plan(requests=10), from_ms=unix_ms(MARCH), end_ms=unix_ms(APRIL))


def test_an_equal_figure_is_shown_and_an_unequal_one_beside_what_it_must_be() -> None:
    assert equal("tokens", 7, 7) == Check("tokens", ok=True, detail="7")
    assert equal("tokens", 7, 8) == Check("tokens", ok=False, detail="found 7, expected 8")


def test_tokens_by_witness_and_as_billed(cast: Cast, march: Plan) -> None:
    fill(cast)
    figures = report.token_figures(march)
    assert figures["gateway"] == figures["billed"] == {"input": "40000000", "output": "8000000"}
    assert figures["engine"] == {"input": "0", "output": "1900"}
    assert report.residual_figures(figures) == {"input": "40000000", "output": "7998100"}


def test_tokens_outside_the_worlds_time_are_not_the_runs(cast: Cast, march: Plan) -> None:
    fill(cast)
    later = msgspec.structs.replace(march, from_ms=unix_ms(APRIL), end_ms=march.end_ms + 1)
    assert report.token_figures(later)["gateway"] == {"input": "0", "output": "0"}
    assert instant(later.from_ms) == APRIL


def test_gpu_seconds_of_leases(cast: Cast) -> None:
    fill(cast)
    assert report.gpu_seconds() == str(2 * 22 * 86_400)


def test_an_invoice_with_its_lines(cast: Cast) -> None:
    filled = fill(cast)
    (found,) = report.invoice_figures()
    assert (found["number"], found["tenant"], found["currency"]) == (filled.number, "tenant", "USD")
    assert found["status"] == "issued"
    assert Decimal(found["total"]) == filled.invoice.total == sum(Decimal(line["amount"]) for line in found["lines"])
    assert [line["description"] for line in found["lines"]] == [
        line.description for line in filled.invoice.lines.order_by("position")
    ]


def test_the_books_balance(cast: Cast) -> None:
    fill(cast)
    found = report.ledger_figures()
    assert found["balanced"] is True
    assert found["postings"] >= 1


def test_empty_books_balance_too(db: None) -> None:
    assert report.ledger_figures() == {"balanced": True, "postings": 0}
    assert report.gpu_seconds() == "0"
    assert report.invoice_figures() == []
