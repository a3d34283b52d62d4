"""Statements as they are found: by their provider alone, the latest first, without the weight of their documents."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.models import ProviderStatement
from billing.statements import reading
from billing.statements.reading import find_statement, statement_numbered, statements_of
from tenants.ids import new_id
from tests.billing.world import APRIL

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
FIGURES = ("opening", "earned", "tax", "deposit", "received", "moved", "paid_out", "closing")


def make(provider: Organization, sequence: int, *, currency: str = "USD", **figures: int) -> ProviderStatement:
    return ProviderStatement.objects.create(
        provider=provider,
        sequence=sequence,
        number=f"STM-{sequence:04d}",
        currency=currency,
        month=date(2026, sequence, 1),
        made_at=APRIL,
        document="{}",
        sha256="0" * 64,
        **{name: Decimal(figures.get(name, 0)) for name in FIGURES},
    )


def test_the_latest_is_first_and_each_provider_has_its_own(cast: Cast) -> None:
    made = [make(cast.provider, place) for place in (1, 2, 3)]
    others = make(cast.outsider, 1)
    assert statements_of(cast.provider) == made[::-1]
    assert statements_of(cast.outsider) == [others]
    assert statements_of(cast.tenant) == statements_of(cast.operator) == []


@pytest.mark.parametrize(("currency", "numbers"), [("", [3, 2, 1]), ("USD", [3, 1]), ("EUR", [2]), ("JPY", [])])
def test_a_currency_chooses(cast: Cast, currency: str, numbers: list[int]) -> None:
    for place, of in ((1, "USD"), (2, "EUR"), (3, "USD")):
        make(cast.provider, place, currency=of)
    assert [one.sequence for one in statements_of(cast.provider, currency=currency)] == numbers


def test_a_list_reads_no_document_and_has_an_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (1, 2, 3):
        make(cast.provider, place)
    monkeypatch.setattr(reading, "STATEMENTS_MAX", 2)
    with CaptureQueriesContext(connection) as seen:
        assert [one.sequence for one in statements_of(cast.provider)] == [3, 2]
    (query,) = seen.captured_queries
    assert '"document"' not in query["sql"]


def test_one_is_found_by_id_or_number_by_its_provider_alone(cast: Cast) -> None:
    made, others = make(cast.provider, 1), make(cast.outsider, 1)
    assert find_statement(cast.provider, made.pk) == statement_numbered(cast.provider, "STM-0001") == made
    assert statement_numbered(cast.outsider, "STM-0001") == others, "numbers are each provider's own"
    for other in (cast.outsider, cast.tenant, cast.operator):
        assert find_statement(other, made.pk) is None
    assert statement_numbered(cast.tenant, "STM-0001") is None
    assert find_statement(cast.provider, new_id()) is None
    assert statement_numbered(cast.provider, "STM-0002") is None


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "closing"])
def test_the_database_refuses_one_that_does_not_add_up(cast: Cast, figure: str) -> None:
    make(cast.provider, 1, currency="USD", **{figure: 5, "closing": 5})
    with pytest.raises(IntegrityError, match="statement_adds_up"), transaction.atomic():
        make(cast.provider, 2, currency="USD", **{figure: 5})


def test_the_database_refuses_a_second_one_of_a_month_and_currency(cast: Cast) -> None:
    made = make(cast.provider, 1)
    for changed, name in (
        ({"sequence": 1, "number": "STM-0009", "month": date(2026, 9, 1)}, "statement_sequence_once"),
        ({"sequence": 9, "number": "STM-0001", "month": date(2026, 9, 1)}, "statement_number_once"),
        ({"sequence": 9, "number": "STM-0009", "month": made.month}, "statement_month_once"),
    ):
        copy = ProviderStatement.objects.get(pk=made.pk)
        copy.pk, copy._state.adding = new_id(), True
        for field, value in changed.items():
            setattr(copy, field, value)
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            copy.save(force_insert=True)
