from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from billing.books import CHECKS
from tests.billing.test_books import make_books

pytestmark = pytest.mark.django_db(transaction=True)


def run() -> tuple[int, str]:
    out, status = StringIO(), 0
    try:
        call_command("check_books", stdout=out, stderr=StringIO())
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, out.getvalue()


def test_sound_books_exit_with_0_and_every_invariant_is_named() -> None:
    make_books()
    status, told = run()
    assert status == 0
    assert all(f"ok    {name}" in told for name in CHECKS)
    assert f"All {len(CHECKS)} invariants hold." in told


def test_forged_books_exit_with_1_and_say_where() -> None:
    make_books()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_charge DISABLE TRIGGER billing_charge_append_only")
        cursor.execute("UPDATE billing_charge SET amount = amount + 1")
        cursor.execute("ALTER TABLE billing_charge ENABLE TRIGGER billing_charge_append_only")
    status, told = run()
    assert status == 1
    assert "WRONG lines are the charges of their period" in told
    assert "charged" in told


def test_checking_writes_nothing_and_leaves_the_connection_writable() -> None:
    make_books()
    assert run()[0] == 0
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",)
