from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from billing.models import Contract
from billing.numbering import next_number
from tests.factories import Cast, make_contract, make_organization

pytestmark = pytest.mark.django_db


def numbered(cast: Cast, number: str) -> None:
    contract = make_contract(cast.provider, cast.tenant)
    contract.number = number
    contract.save()


def test_the_first_number_is_1_and_the_next_is_after_the_highest(cast: Cast) -> None:
    assert next_number(model=Contract, field="number", prefix="C") == "C-0001"
    for number in ("C-0009", "C-0010", "C-12x", "K-0500", "C-99999999999"):
        numbered(cast, number)
    assert next_number(model=Contract, field="number", prefix="C") == "C-0011"


def test_a_number_grows_beyond_its_least_width(cast: Cast) -> None:
    numbered(cast, "C-9999")
    assert next_number(model=Contract, field="number", prefix="C") == "C-10000"


@pytest.mark.django_db(transaction=True)
def test_numbers_taken_at_once_differ() -> None:
    provider, tenant = make_organization("p", is_provider=True), make_organization("t")
    ready = threading.Barrier(5)

    def run() -> None:
        ready.wait()
        with transaction.atomic():
            number = next_number(model=Contract, field="number", prefix="N")
            contract = make_contract(provider, tenant)
            Contract.objects.filter(pk=contract.pk).update(number=number)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(Contract.objects.values_list("number", flat=True))
    assert numbers == [f"N-{number:04d}" for number in range(1, 6)]
