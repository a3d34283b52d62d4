from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import DatabaseError, connections, transaction

from billing.models import Invoice, InvoiceState
from billing.queries.invoice_changes import Place, changed_invoice, invoice_changes
from tests.billing.issued import Line, make_issued
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

WRITERS = 4
ROUNDS = 15


def issue(cast: Cast, count: int) -> list[Invoice]:
    return [make_issued((Line("1.00"),), parties=(cast.provider, cast.tenant)) for _index in range(count)]


def read_on(organization: Organization, after: Place | None, limit: int = 3) -> tuple[list[Place], Place | None]:
    """Follow the list to its present end, as a program that keeps a copy does."""
    places: list[Place] = []
    while True:
        found = invoice_changes(organization, after=after, limit=limit)
        places += [one.place for one in found.rows]
        after = found.rows[-1].place if found.rows else after
        if not found.has_more:
            return places, after


@kept
def invoice_made(cast: Cast) -> list[Invoice]:
    return issue(cast, 1)


@pytest.mark.django_db
def test_every_write_is_stamped_later_than_the_one_before(invoice_made: list[Invoice]) -> None:
    (invoice,) = invoice_made
    first = Invoice.objects.get(pk=invoice.pk).changed_at
    Invoice.objects.filter(pk=invoice.pk).update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    second = Invoice.objects.get(pk=invoice.pk).changed_at
    assert second > first


@pytest.mark.django_db
def test_nobody_can_set_the_stamp_of_an_issued_invoice(invoice_made: list[Invoice]) -> None:
    (invoice,) = invoice_made
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(changed_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.django_db
def test_rows_come_in_the_order_they_changed(cast: Cast) -> None:
    first, second, third = issue(cast, 3)
    Invoice.objects.filter(pk=first.pk).update(state=InvoiceState.UNCOLLECTIBLE)
    found = invoice_changes(cast.tenant)
    assert [one.row.id for one in found.rows] == [second.pk, third.pk, first.pk]
    assert not found.has_more


@pytest.mark.django_db
def test_changes_are_those_of_the_two_parties(cast: Cast, invoice_made: list[Invoice]) -> None:
    (invoice,) = invoice_made
    for organization, sees in ((cast.tenant, True), (cast.provider, True), (cast.outsider, False)):
        assert bool(invoice_changes(organization).rows) == sees
        assert (changed_invoice(organization, invoice.pk) is not None) == sees


@pytest.mark.django_db
def test_since_an_instant_includes_it(cast: Cast) -> None:
    first, second = issue(cast, 2)
    at = Invoice.objects.get(pk=second.pk).changed_at
    assert [one.row.id for one in invoice_changes(cast.tenant, updated_since=at).rows] == [second.pk]
    assert invoice_changes(cast.tenant, updated_since=at + timedelta(microseconds=1)).rows == ()
    assert Invoice.objects.get(pk=first.pk).changed_at < at


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_waited_for(cast: Cast) -> None:
    slow, quick = issue(cast, 2)
    _places, after = read_on(cast.tenant, None)
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        try:
            with transaction.atomic():
                Invoice.objects.filter(pk=slow.pk).update(state=InvoiceState.UNCOLLECTIBLE)
                written.set()
                assert may_commit.wait(30)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert written.wait(30)
    Invoice.objects.filter(pk=quick.pk).update(state=InvoiceState.UNCOLLECTIBLE)
    assert Invoice.objects.get(pk=quick.pk).state == InvoiceState.UNCOLLECTIBLE
    meanwhile, after = read_on(cast.tenant, after)
    may_commit.set()
    writer.join()
    afterwards, _after = read_on(cast.tenant, after)
    assert meanwhile == []
    assert [place.id for place in afterwards] == [slow.pk, quick.pk]


@pytest.mark.django_db(transaction=True)
def test_a_reader_beside_many_writers_misses_nothing_and_gets_nothing_twice(cast: Cast) -> None:
    invoices = issue(cast, 8)
    done = threading.Event()
    seen: list[Place] = []

    def write(seed: int) -> None:
        random = Random(seed)
        try:
            for _round in range(ROUNDS):
                with transaction.atomic():
                    for invoice in random.sample(invoices[seed::WRITERS], 2):
                        Invoice.objects.filter(pk=invoice.pk).update(updated_at=datetime.now(UTC))
                        time.sleep(random.random() / 200)
        finally:
            connections.close_all()

    def read() -> None:
        after: Place | None = None
        try:
            while not done.is_set():
                places, after = read_on(cast.tenant, after)
                seen.extend(places)
            places, after = read_on(cast.tenant, after)
            seen.extend(places)
        finally:
            connections.close_all()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    latest: dict[UUID, datetime] = {place.id: place.changed_at for place in seen}
    assert latest == dict(Invoice.objects.values_list("pk", "changed_at"))
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, key=lambda place: (place.changed_at, place.id))
