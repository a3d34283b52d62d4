"""Checks of the books that collective invoices answer for."""

from billing.models import Collective, CollectiveSequence
from billing.number_series import COLLECTIVE, former_series
from billing.proofs.proof import Checks, Proved, gaps_of, rows


def _collectives_are_their_parts() -> Proved:
    """A collective invoice is the sum of its parts, which are invoices of its parties in its currency."""
    sums = rows(
        """
        SELECT made.number, made.total, coalesce(sum(part.amount), 0), count(part.invoice_id)
        FROM billing_collective made LEFT JOIN billing_collectivepart part ON part.collective_id = made.id
        GROUP BY made.id HAVING made.total <> coalesce(sum(part.amount), 0) OR count(part.invoice_id) < 2 ORDER BY 1
        """
    )
    strange = rows(
        """
        SELECT made.number, invoice.number, part.amount, invoice.total FROM billing_collectivepart part
        JOIN billing_collective made ON made.id = part.collective_id
        JOIN billing_invoice invoice ON invoice.id = part.invoice_id
        WHERE invoice.issuer_id <> made.issuer_id OR invoice.tenant_id <> made.tenant_id
            OR invoice.currency <> made.currency OR part.amount > invoice.total ORDER BY 1, 2
        """
    )
    return Collective.objects.count(), [
        *(f"{number}: {total}, its {count} parts {parts}" for number, total, parts, count in sums),
        *(f"{number}: part {part} of {amount} does not belong to it" for number, part, amount, _total in strange),
    ]


def _numbers_are_gapless() -> Proved:
    wrong = []
    sequences = list(CollectiveSequence.objects.select_related("issuer").order_by("prefix"))
    for sequence in sequences:
        made = Collective.objects.filter(issuer=sequence.issuer, number__startswith=sequence.prefix)
        numbers = made.values_list("number", flat=True)
        wrong += gaps_of(sequence.issuer.slug, numbers, prefix=sequence.prefix, next_number=sequence.next_number)
    for former in former_series(COLLECTIVE):
        made = Collective.objects.filter(issuer_id=former.issuer_id, number__regex=former.pattern)
        numbers = made.values_list("number", flat=True)
        wrong += gaps_of(former.slug, numbers, prefix=former.prefix, next_number=former.next_number)
    return len(sequences), wrong


CHECKS: Checks = {
    "collective invoices are their parts": _collectives_are_their_parts,
    "numbers of collective invoices have no gap": _numbers_are_gapless,
}
