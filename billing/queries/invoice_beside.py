"""Which things of an invoice there are at all beside its lines, so that its page reads none of those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from uuid import UUID

_STATEMENT: Final = """
SELECT EXISTS (SELECT FROM billing_creditnote WHERE invoice_id = %(invoice)s),
    EXISTS (SELECT FROM billing_debit WHERE invoice_id = %(invoice)s),
    EXISTS (SELECT FROM billing_dispute WHERE invoice_id = %(invoice)s),
    EXISTS (SELECT FROM billing_dunningstep WHERE invoice_id = %(invoice)s),
    EXISTS (SELECT FROM billing_collectivepart WHERE invoice_id = %(invoice)s),
    EXISTS (SELECT FROM billing_chargeback back JOIN billing_payment paid ON paid.id = back.payment_id
        WHERE paid.invoice_id = %(invoice)s)
"""


@dataclass(frozen=True, slots=True)
class Beside:
    """Whether an invoice has any of each; most have none."""

    credit_notes: bool
    debits: bool
    disputes: bool
    dunning_steps: bool
    collective: bool
    chargebacks: bool


def beside(invoice_id: UUID) -> Beside:
    """Return what stands beside an invoice that the reader was given; one query instead of six."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"invoice": invoice_id})
        row = cursor.fetchone()
    assert row is not None
    return Beside(*row)
