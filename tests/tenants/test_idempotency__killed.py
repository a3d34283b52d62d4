"""A making call whose server dies in between is made once by the next try; two at once make one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection, connections

from tenants.idempotency import Answered, answer_once
from tenants.models import AuditEntry, IdempotentCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make(organization: Organization) -> Answered:
    """Makes a row that can be counted."""
    made = AuditEntry.objects.create(organization=organization, actor="made", action="made", subject="once", at=NOW)
    return 201, {"id": str(made.pk)}


def call(organization: Organization, making: Callable[[], Answered]) -> Answered:
    return answer_once(organization=organization, key="k-1", address="POST /x", body=b"{}", now=NOW, make=making)


def count() -> int:
    return AuditEntry.objects.filter(actor="made").count()


def beside(act: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run something on a connection of its own; what it returned or raised is in the list."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(act())
        except Exception as error:  # noqa: BLE001  what it was is looked at by the test
            found.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_a_server_that_dies_while_it_makes_leaves_nothing_and_the_next_try_makes_it(cast: Cast) -> None:
    made, backend = threading.Event(), []

    def dies() -> Answered:
        answer = make(cast.tenant)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend.append(cursor.fetchone()[0])
        made.set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")
        return answer

    thread, found = beside(lambda: call(cast.tenant, dies))
    assert made.wait(30)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", backend)
    thread.join(30)
    assert isinstance(found[0], OperationalError)
    assert (count(), IdempotentCall.objects.count()) == (0, 0)
    first = call(cast.tenant, lambda: make(cast.tenant))
    assert call(cast.tenant, lambda: make(cast.tenant)) == first
    assert count() == 1


def test_two_at_once_with_one_key_wait_for_each_other_and_make_one(cast: Cast) -> None:
    in_it, may_end = threading.Event(), threading.Event()

    def slowly() -> Answered:
        answer = make(cast.tenant)
        in_it.set()
        assert may_end.wait(30)
        return answer

    first, one = beside(lambda: call(cast.tenant, slowly))
    assert in_it.wait(30)
    second, two = beside(lambda: call(cast.tenant, lambda: make(cast.tenant)))
    may_end.set()
    first.join(30)
    second.join(30)
    assert one == two
    assert count() == 1


def test_where_the_first_of_two_fails_the_second_makes_it(cast: Cast) -> None:
    in_it, may_end = threading.Event(), threading.Event()

    def fails() -> Answered:
        make(cast.tenant)
        in_it.set()
        assert may_end.wait(30)
        raise ValueError("it broke")

    first, one = beside(lambda: call(cast.tenant, fails))
    assert in_it.wait(30)
    second, two = beside(lambda: call(cast.tenant, lambda: make(cast.tenant)))
    may_end.set()
    first.join(30)
    second.join(30)
    assert isinstance(one[0], ValueError)
    assert two[0][0] == 201
    assert count() == 1


def test_a_key_with_another_body_is_refused_even_while_the_first_is_made(cast: Cast) -> None:
    in_it, may_end = threading.Event(), threading.Event()

    def slowly() -> Answered:
        in_it.set()
        assert may_end.wait(30)
        return make(cast.tenant)

    first, one = beside(lambda: call(cast.tenant, slowly))
    assert in_it.wait(30)

    def other() -> Answered:
        return answer_once(
            organization=cast.tenant,
            key="k-1",
            address="POST /x",
            body=b"[]",
            now=NOW,
            make=lambda: make(cast.tenant),
        )

    second, two = beside(other)
    may_end.set()
    first.join(30)
    second.join(30)
    assert one[0][0] == 201
    assert type(two[0]).__name__ == "KeyReused"
    assert count() == 1
