"""Numbers of credit notes: gapless per issuer, beside those of its invoices."""

from django.db import connection

from billing.models import CreditNoteSequence, IssuerSequence
from tenants.models import Organization

NUMBER_DIGITS_MIN = 4
PREFIX = "CN-"


def next_credit_note_number(issuer: Organization) -> str:
    """Take the issuer's next number: its row stays locked until the transaction ends, so no number is left out."""
    sequence = CreditNoteSequence.objects.select_for_update().filter(issuer=issuer).first()
    if sequence is None:
        _make_sequence(issuer)
        sequence = CreditNoteSequence.objects.select_for_update().get(issuer=issuer)
    number = f"{sequence.prefix}{sequence.next_number:0{NUMBER_DIGITS_MIN}d}"
    CreditNoteSequence.objects.filter(pk=issuer.pk).update(next_number=sequence.next_number + 1)
    return number


def _make_sequence(issuer: Organization) -> None:
    """Name an issuer's credit notes after its invoices, whose prefix no other issuer has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('forecourt.issuer_sequence'))")
    invoices = IssuerSequence.objects.filter(issuer=issuer).first()
    own = invoices.prefix if invoices else f"{issuer.slug.upper()}-"
    prefix = f"{PREFIX}{own.removeprefix('INV-')}"[: CreditNoteSequence._meta.get_field("prefix").max_length]
    CreditNoteSequence.objects.bulk_create([CreditNoteSequence(issuer=issuer, prefix=prefix)], ignore_conflicts=True)
