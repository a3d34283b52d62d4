from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import IssuerSequence
from tests.factories import make_organization

pytestmark = pytest.mark.django_db


def run(letter: str) -> str:
    out = StringIO()
    call_command("begin_numbers", letter, stdout=out)
    return out.getvalue()


def test_what_begins_is_named_and_what_cannot_says_why() -> None:
    assert run("B") == "There is no provider whose papers are numbered.\n"
    issuer = make_organization("north", is_provider=True, is_tenant=False)
    IssuerSequence.objects.create(issuer=issuer, prefix="INV-", next_number=8)
    assert run("B") == "invoices: INV- → INV-B-\n"
    with pytest.raises(CommandError, match="INV-B- was used before: choose another letter"):
        run("B")
