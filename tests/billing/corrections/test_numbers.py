"""Numbers of credit notes: gapless per issuer, told apart among issuers, and one after the other for two at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from billing.corrections.numbers import next_credit_note_number
from billing.models import IssuerSequence
from tenants.models import Organization
from tests.factories import make_organization


def test_they_are_named_after_the_invoices_of_their_issuer(db: None) -> None:
    first, second = make_organization("first"), make_organization("second")
    IssuerSequence.objects.create(issuer=first, prefix="INV-")
    IssuerSequence.objects.create(issuer=second, prefix="SECOND-")
    assert [next_credit_note_number(each) for each in (first, second, first)] == [
        "CN-0001",
        "CN-SECOND-0001",
        "CN-0002",
    ]
    assert next_credit_note_number(make_organization("never-issued")) == "CN-NEVER-ISSUED-0001"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_get_two_numbers_and_a_rolled_back_one_leaves_no_gap() -> None:
    issuer = make_organization("issuer")

    def take(keep: bool) -> str:
        try:
            with transaction.atomic():
                number = next_credit_note_number(Organization.objects.get(pk=issuer.pk))
                transaction.set_rollback(not keep)
            return number if keep else ""
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(filter(None, pool.map(take, [True, False, True, True, False, True])))
    assert [number.rpartition("-")[2] for number in numbers] == ["0001", "0002", "0003", "0004"]
