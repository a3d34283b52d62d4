"""Random worlds end with sound books by two computations that share nothing but the stored rows: the checks of the
books, and the evidence files alone. `WORLDS=1000` looks at a thousand, `WORLDS_FROM=400` at those of them from the
400th on; a seed is its own world again.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from random import Random

import pytest

from billing.books import check_books
from billing.canonical import canonical, digest
from billing.evidence import differences
from billing.models import Invoice, InvoiceEvidence
from tests.billing.test_books import forge
from tests.flows.worlds import make_random_world

pytestmark = pytest.mark.django_db

SEEDS = range(int(os.environ.get("WORLDS_FROM", "0")), int(os.environ.get("WORLDS", "9")))
PLANTED_EVERY = 3


def by_evidence(invoices: list[Invoice]) -> dict[str, list[str]]:
    """What the evidence files say against the invoices, by number: from each file's own bytes."""
    found = {}
    for invoice in invoices:
        sealed = InvoiceEvidence.objects.get(invoice=invoice)
        document = json.loads(sealed.document)
        wrong = differences(document)
        if Decimal(document["invoice"]["total"]) != invoice.total or digest(sealed.document) != sealed.sha256:
            wrong.append("other totals or bytes")
        if wrong:
            found[str(invoice.number)] = wrong
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_ends_with_books_that_both_computations_hold_for_sound(seed: int) -> None:
    invoices = make_random_world(seed)
    assert {check.name: check.wrong for check in check_books() if not check.holds} == {}
    assert by_evidence(invoices) == {}
    assert all(canonical(json.loads(one.document)) == one.document for one in InvoiceEvidence.objects.all())
    if invoices and seed % PLANTED_EVERY == 0:
        _spoil(Random(seed).choice(invoices))
        assert [check.name for check in check_books() if not check.holds]
        assert by_evidence(list(Invoice.objects.filter(number__isnull=False)))


def _spoil(invoice: Invoice) -> None:
    """A smallest unit more on the invoice than its evidence says, past every guard."""
    forge(f"UPDATE billing_invoice SET total = total + 0.01 WHERE id = '{invoice.pk}'")
