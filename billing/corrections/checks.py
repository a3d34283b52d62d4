"""Checks of the books that corrections answer for."""

from billing.models import BalanceAccount, CreditMovement, CreditNote, CreditNoteSequence, Debit, Refund, WriteOff
from billing.proofs.proof import Checks, Proved, rows


def _credit_notes_fit() -> Proved:
    """A credit note is the sum of its lines, and all of an invoice's are within it, line by line."""
    sums = rows(
        """
        SELECT note.number, note.subtotal, note.tax, note.total, coalesce(sum(line.amount), 0),
            coalesce(sum(line.tax), 0)
        FROM billing_creditnote note LEFT JOIN billing_creditnoteline line ON line.credit_note_id = note.id
        GROUP BY note.id
        HAVING note.subtotal <> coalesce(sum(line.amount), 0) OR note.tax <> coalesce(sum(line.tax), 0)
            OR note.total <> note.subtotal + note.tax ORDER BY 1
        """
    )
    beyond = rows(
        """
        SELECT invoice.number, line.position, line.amount, sum(credited.amount)
        FROM billing_creditnoteline credited JOIN billing_invoiceline line ON line.id = credited.line_id
        JOIN billing_invoice invoice ON invoice.id = line.invoice_id GROUP BY invoice.id, line.id
        HAVING abs(sum(credited.amount)) > abs(line.amount) OR sum(credited.amount) * sign(line.amount) < 0
        ORDER BY 1, 2
        """
    )
    whole = rows(
        """
        SELECT invoice.number, invoice.total, sum(note.total) FROM billing_creditnote note
        JOIN billing_invoice invoice ON invoice.id = note.invoice_id GROUP BY invoice.id
        HAVING sum(note.total) > invoice.total OR sum(note.tax) > invoice.tax ORDER BY 1
        """
    )
    return CreditNote.objects.count(), [
        *(
            f"{number}: subtotal {subtotal}, tax {tax}, total {total}, lines {lines} and tax {taxes}"
            for number, subtotal, tax, total, lines, taxes in sums
        ),
        *(f"{number} line {position}: {amount}, credited {credited}" for number, position, amount, credited in beyond),
        *(f"{number}: {total}, credited {credited}" for number, total, credited in whole),
    ]


def _credit_notes_are_booked() -> Proved:
    """What a credit note gives back is off the receivable, and what was paid before is on the tenant's balance."""
    wrong = rows(
        """
        SELECT note.number, note.total, note.applied, -coalesce(sum(entry.amount) FILTER (
            WHERE account.kind = 'tenant_receivable'), 0), coalesce(-sum(entry.amount) FILTER (
            WHERE account.kind = 'tenant_balance'), 0)
        FROM billing_creditnote note
        LEFT JOIN billing_ledgerposting posting
            ON posting.key IN ('credit_note:' || note.id, 'credit_note:' || note.id || ':balance')
        LEFT JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        LEFT JOIN billing_ledgeraccount account ON account.id = entry.account_id
        GROUP BY note.id
        HAVING note.applied <> -coalesce(sum(entry.amount) FILTER (WHERE account.kind = 'tenant_receivable'), 0)
            OR note.total - note.applied
                <> coalesce(-sum(entry.amount) FILTER (WHERE account.kind = 'tenant_balance'), 0)
        ORDER BY 1
        """
    )
    return CreditNote.objects.count(), [
        f"{number}: {total} of which {applied} applied; {off} off the receivable, {kept} on the balance"
        for number, total, applied, off, kept in wrong
    ]


def _numbers_are_gapless() -> Proved:
    wrong = []
    sequences = list(CreditNoteSequence.objects.select_related("issuer").order_by("prefix"))
    for sequence in sequences:
        numbers = CreditNote.objects.filter(issuer=sequence.issuer, number__startswith=sequence.prefix)
        found = sorted(int(number[len(sequence.prefix) :]) for number in numbers.values_list("number", flat=True))
        if found != list(range(1, sequence.next_number)):
            wrong.append(f"{sequence.issuer.slug}: {len(found)} numbers below {sequence.next_number}, {found[:5]} …")
    return len(sequences), wrong


def _balances_are_movements() -> Proved:
    """What tenants' balances hold by their movements is what the ledger owes them; none is below zero."""
    differing = rows(
        """
        WITH moved AS (
            SELECT account.tenant_id AS owner, account.currency, sum(movement.amount) AS amount
            FROM billing_balancemovement movement
            JOIN billing_balanceaccount account ON account.id = movement.account_id GROUP BY 1, 2
        ), booked AS (
            SELECT account.organization_id AS owner, account.currency, -sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind = 'tenant_balance' GROUP BY 1, 2
        )
        SELECT owner, currency, coalesce(moved.amount, 0), coalesce(booked.amount, 0)
        FROM moved FULL JOIN booked USING (owner, currency)
        WHERE coalesce(moved.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
        """
    )
    below = rows(
        "SELECT account_id, sum(amount) FROM billing_balancemovement GROUP BY 1 HAVING sum(amount) < 0 ORDER BY 1"
    )
    return BalanceAccount.objects.count(), [
        *(
            f"organization {owner}: {moved} {currency} by movements, {booked} booked"
            for owner, currency, moved, booked in differing
        ),
        *(f"balance {account} stands at {amount}" for account, amount in below),
    ]


def _write_offs_are_booked() -> Proved:
    wrong = rows(
        """
        WITH written AS (
            SELECT invoice.issuer_id AS owner, invoice.currency, sum(written.amount) AS amount
            FROM billing_writeoff written JOIN billing_invoice invoice ON invoice.id = written.invoice_id GROUP BY 1, 2
        ), booked AS (
            SELECT account.organization_id AS owner, account.currency, sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind = 'write_off' GROUP BY 1, 2
        )
        SELECT owner, currency, coalesce(written.amount, 0), coalesce(booked.amount, 0)
        FROM written FULL JOIN booked USING (owner, currency)
        WHERE coalesce(written.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
        """
    )
    return WriteOff.objects.count(), [
        f"organization {owner}: {written} {currency} written off, {booked} booked"
        for owner, currency, written, booked in wrong
    ]


def _refunds_in_transit() -> Proved:
    """What refunds on their way come to is what their issuers' accounts hold for them."""
    wrong = rows(
        """
        WITH going AS (
            SELECT account.issuer_id AS owner, account.currency, sum(refund.amount) AS amount FROM billing_refund refund
            JOIN billing_balanceaccount account ON account.id = refund.account_id
            WHERE refund.state IN ('pending', 'sent') GROUP BY 1, 2
        ), booked AS (
            SELECT account.organization_id AS owner, account.currency, -sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind = 'refund_in_transit' GROUP BY 1, 2
        )
        SELECT owner, currency, coalesce(going.amount, 0), coalesce(booked.amount, 0)
        FROM going FULL JOIN booked USING (owner, currency)
        WHERE coalesce(going.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
        """
    )
    return Refund.objects.count(), [
        f"organization {owner}: {going} {currency} of refunds on their way, {booked} booked"
        for owner, currency, going, booked in wrong
    ]


def _credit_that_left_says_where() -> Proved:
    """Unused credit that went back is a refund of that amount; what was charged back, or refunded at Stripe by hand, is
    no more than Stripe said."""
    returned = rows(
        """
        SELECT moved.grant, moved.amount, refund.amount FROM billing_creditmovement moved
        LEFT JOIN billing_refund refund ON moved.reference = 'refund:' || refund.id
        WHERE moved.kind = 'returned' AND moved.amount IS DISTINCT FROM refund.amount ORDER BY 1, 2
        """
    )
    taken = rows(
        """
        SELECT moved.grant, moved.amount, coalesce(held.amount, refunded.amount) FROM billing_creditmovement moved
        LEFT JOIN billing_chargeback held ON held.dispute_id = split_part(moved.reference, ':', 1)
        LEFT JOIN (
            SELECT source_id, -sum(amount) AS amount FROM billing_stripemovement
            WHERE kind IN ('refund', 'payment_refund') GROUP BY 1
        ) refunded ON moved.reference = 'refunded:' || refunded.source_id
        WHERE moved.kind = 'taken' AND moved.amount <= coalesce(held.amount, refunded.amount, 0) IS NOT TRUE
        ORDER BY 1, 2
        """
    )
    count = CreditMovement.objects.exclude(reference="").count()
    return count, [
        *(f"{grant}: {amount} given back, {refunded or 0} refunded" for grant, amount, refunded in returned),
        *(f"{grant}: {amount} taken back, {charged or 0} went back at Stripe" for grant, amount, charged in taken),
    ]


def _debits_are_billed() -> Proved:
    """A debit is of the contract of its invoice, and once its period is closed a line of it, or was taken back."""
    strange = rows(
        """
        SELECT invoice.number, debit.amount FROM billing_debit debit
        JOIN billing_invoice invoice ON invoice.id = debit.invoice_id
        JOIN billing_term term ON term.id = debit.term_id
        LEFT JOIN billing_invoiceline line ON line.id = debit.line_id
        WHERE term.contract_id <> invoice.contract_id OR debit.currency <> invoice.currency
            OR line.invoice_id <> invoice.id ORDER BY 1, 2
        """
    )
    unbilled = rows(
        """
        SELECT invoice.number, debit.amount, coalesce(sum(line.amount), 0) FROM billing_debit debit
        JOIN billing_invoice invoice ON invoice.id = debit.invoice_id
        JOIN billing_term term ON term.id = debit.term_id
        JOIN billing_billingperiod period ON period.contract_id = term.contract_id
            AND period.from_at <= term.from_at AND term.from_at < period.to_at AND period.state = 'closed'
        LEFT JOIN billing_invoice bill ON bill.period_id = period.id AND bill.state <> 'draft'
            AND NOT EXISTS (SELECT FROM billing_invoice again WHERE again.reissues_id = bill.id)
        LEFT JOIN billing_invoiceline line ON line.invoice_id = bill.id AND line.term_ref = term.ref
        LEFT JOIN billing_debittakenback back ON back.debit_id = debit.id
        GROUP BY invoice.id, debit.id, back.debit_id
        HAVING coalesce(sum(line.amount), 0) <> CASE WHEN back.debit_id IS NULL THEN debit.amount ELSE 0 END
        ORDER BY 1, 2
        """
    )
    return Debit.objects.count(), [
        *(f"{number}: a debit of {amount} is of another contract, line or currency" for number, amount in strange),
        *(f"{number}: a debit of {amount}, billed {billed}" for number, amount, billed in unbilled),
    ]


CHECKS: Checks = {
    "credit notes are within their invoices": _credit_notes_fit,
    "credit notes are booked": _credit_notes_are_booked,
    "credit note numbers have no gap": _numbers_are_gapless,
    "balances of tenants are their movements": _balances_are_movements,
    "credit that left between closes says where it went": _credit_that_left_says_where,
    "debits are billed as they stand": _debits_are_billed,
    "write-offs are booked": _write_offs_are_booked,
    "refunds in transit are those on their way": _refunds_in_transit,
}
