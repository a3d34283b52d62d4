"""Checks of the books that corrections answer for."""

from billing.models import BalanceAccount, CreditMovement, CreditNote, CreditNoteSequence, Debit, Refund, WriteOff
from billing.money import half_a_unit
from billing.number_series import CREDIT_NOTES, former_series
from billing.proofs.proof import Checks, Proved, gaps_of, rows


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
        SELECT invoice.number, invoice.total - coalesce(paid.before, 0), sum(note.total) FROM billing_creditnote note
        JOIN billing_invoice invoice ON invoice.id = note.invoice_id
        LEFT JOIN (
            SELECT invoice_id, sum(amount) AS before FROM billing_invoiceline
            WHERE nature IN ('held', 'payment') GROUP BY 1
        ) paid ON paid.invoice_id = invoice.id GROUP BY invoice.id, paid.before
        HAVING sum(note.total) > invoice.total - coalesce(paid.before, 0) OR sum(note.tax) > invoice.tax ORDER BY 1
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


def _credit_notes_are_of_their_invoices() -> Proved:
    """A credit note has its invoice's parties, currency and lines, and gives back of each line's tax the part that
    belongs to what it gives back of the line."""
    strange = rows(
        """
        SELECT note.number, invoice.number FROM billing_creditnote note
        JOIN billing_invoice invoice ON invoice.id = note.invoice_id
        LEFT JOIN billing_ledgerposting posting ON posting.key = 'credit_note:' || note.id
        WHERE (note.issuer_id, note.tenant_id, note.currency)
                <> (invoice.issuer_id, invoice.tenant_id, invoice.currency)
            OR (posting.memo, posting.at) IS DISTINCT FROM
                ('Credit note ' || note.number || ' for invoice ' || invoice.number, note.issued_at)
            OR EXISTS (
                SELECT FROM billing_creditnoteline credited JOIN billing_invoiceline line ON line.id = credited.line_id
                WHERE credited.credit_note_id = note.id AND line.invoice_id <> note.invoice_id
            ) ORDER BY 1
        """
    )
    taxes = rows(
        """
        SELECT invoice.number, invoice.currency, line.position, sum(credited.tax),
            coalesce(taxed.tax, 0) * sum(credited.amount) / line.amount
        FROM billing_creditnoteline credited JOIN billing_invoiceline line ON line.id = credited.line_id
        JOIN billing_invoice invoice ON invoice.id = line.invoice_id
        LEFT JOIN billing_invoicelinetax taxed ON taxed.line_id = line.id
        WHERE line.amount <> 0 GROUP BY invoice.id, line.id, taxed.tax ORDER BY 1, 3
        """
    )
    return CreditNote.objects.count(), [
        *(f"{note}: it does not belong to invoice {invoice} as it says" for note, invoice in strange),
        *(
            f"{number} line {position}: {tax} of its tax credited, {round(exact, 6)} belongs to what was credited of it"
            for number, currency, position, tax, exact in taxes
            if abs(tax - exact) > half_a_unit(currency)
        ),
    ]


def _credit_notes_are_booked() -> Proved:
    """What a credit note gives back is off the receivable, fee and tax with it; what was paid is on the balance."""
    wrong = rows(
        """
        WITH wanted AS (
            SELECT 'credit_note:' || note.id AS key, side.kind, side.owner, note.currency, side.amount
            FROM billing_creditnote note CROSS JOIN LATERAL (VALUES
                ('tenant_receivable', note.tenant_id, -note.total),
                ('provider_payable', note.issuer_id, note.subtotal - note.operator_fee),
                ('operator_fee', '00000000-0000-0000-0000-000000000000'::uuid, note.operator_fee),
                ('tax_payable', note.issuer_id, note.tax)
            ) side (kind, owner, amount)
            UNION ALL
            SELECT 'credit_note:' || note.id || ':balance', side.kind, note.tenant_id, note.currency, side.amount
            FROM billing_creditnote note CROSS JOIN LATERAL (VALUES
                ('tenant_receivable', note.total - note.applied), ('tenant_balance', note.applied - note.total)
            ) side (kind, amount)
        ), booked AS (
            SELECT posting.key, account.kind, account.currency, CASE WHEN owner.is_operator AND
                account.kind = 'operator_fee' THEN '00000000-0000-0000-0000-000000000000'::uuid
                ELSE account.organization_id END AS owner, sum(entry.amount) AS amount
            FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
            JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN tenants_organization owner ON owner.id = account.organization_id
            WHERE posting.key LIKE 'credit_note:%%' GROUP BY 1, 2, 3, 4
        )
        SELECT coalesce(note.number, key), kind, coalesce(wanted.amount, 0),
            coalesce(booked.amount, 0)
        FROM wanted FULL JOIN booked USING (key, kind, owner, currency)
        LEFT JOIN billing_creditnote note ON 'credit_note:' || note.id = key
        WHERE coalesce(wanted.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
        """
    )
    return CreditNote.objects.count(), [
        f"{number}: {wanted} on {kind} by its row, {booked} booked" for number, kind, wanted, booked in wrong
    ]


def _numbers_are_gapless() -> Proved:
    wrong = []
    sequences = list(CreditNoteSequence.objects.select_related("issuer").order_by("prefix"))
    for sequence in sequences:
        numbers = CreditNote.objects.filter(issuer=sequence.issuer, number__startswith=sequence.prefix)
        issued = numbers.values_list("number", flat=True)
        wrong += gaps_of(sequence.issuer.slug, issued, prefix=sequence.prefix, next_number=sequence.next_number)
    for former in former_series(CREDIT_NOTES):
        numbers = CreditNote.objects.filter(issuer_id=former.issuer_id, number__regex=former.pattern)
        issued = numbers.values_list("number", flat=True)
        wrong += gaps_of(former.slug, issued, prefix=former.prefix, next_number=former.next_number)
    return len(sequences), wrong


def _balances_are_movements() -> Proved:
    """Every movement of a balance is its posting's, in the book of the issuer that has the money; none is below 0."""
    differing = rows(
        """
        WITH moved AS (
            SELECT movement.key, account.tenant_id AS owner, account.issuer_id AS issuer, account.currency,
                movement.amount
            FROM billing_balancemovement movement
            JOIN billing_balanceaccount account ON account.id = movement.account_id
        ), booked AS (
            SELECT posting.key, account.organization_id AS owner, posting.provider_id AS issuer, account.currency,
                -sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
            WHERE account.kind = 'tenant_balance' GROUP BY 1, 2, 3, 4
        )
        SELECT key, currency, coalesce(moved.amount, 0), coalesce(booked.amount, 0)
        FROM moved FULL JOIN booked USING (key, owner, issuer, currency)
        WHERE coalesce(moved.amount, 0) <> coalesce(booked.amount, 0) ORDER BY 1, 2
        """
    )
    below = rows(
        "SELECT account_id, sum(amount) FROM billing_balancemovement GROUP BY 1 HAVING sum(amount) < 0 ORDER BY 1"
    )
    return BalanceAccount.objects.count(), [
        *(
            f"{key}: {moved} {currency} moved on the balance, {booked} booked"
            for key, currency, moved, booked in differing
        ),
        *(f"balance {account} stands at {amount}" for account, amount in below),
    ]


def _write_offs_are_booked() -> Proved:
    """Each write-off, and what was recovered of it, is booked for its invoice."""
    wrong = rows(
        """
        WITH written AS (
            SELECT 'write_off:' || gone.id AS key, invoice.issuer_id AS owner, invoice.currency, gone.amount,
                'Invoice ' || invoice.number || ': '
                || CASE WHEN gone.amount > 0 THEN 'written off' ELSE 'recovered' END AS memo, gone.at
            FROM billing_writeoff gone JOIN billing_invoice invoice ON invoice.id = gone.invoice_id
        ), booked AS (
            SELECT posting.key, account.organization_id AS owner, account.currency, posting.memo, posting.at,
                sum(entry.amount) AS amount
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
            WHERE account.kind = 'write_off' GROUP BY 1, 2, 3, 4, 5
        )
        SELECT key, coalesce(written.memo, booked.memo), coalesce(written.amount, 0), coalesce(booked.amount, 0)
        FROM written FULL JOIN booked USING (key, owner, currency)
        WHERE coalesce(written.amount, 0) <> coalesce(booked.amount, 0)
            OR (written.memo, written.at) IS DISTINCT FROM (booked.memo, booked.at) ORDER BY 1
        """
    )
    return WriteOff.objects.count(), [
        f"{key} ({memo}): {written} by its row, {booked} booked" for key, memo, written, booked in wrong
    ]


def _refunds_in_transit() -> Proved:
    """Each refund on its way is what its issuer's account holds for it, and one that arrived left by its method."""
    wrong = rows(
        """
        WITH booked AS (
            SELECT posting.cause_id, account.organization_id AS owner, account.currency,
                -sum(entry.amount) FILTER (WHERE account.kind = 'refund_in_transit') AS going,
                -sum(entry.amount) FILTER (WHERE account.kind = 'stripe_clearing') AS by_card,
                -sum(entry.amount) FILTER (WHERE account.kind = 'bank_clearing') AS by_bank
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
            WHERE account.kind = 'refund_in_transit'
                OR (posting.key LIKE 'refund:%%' AND account.kind IN ('stripe_clearing', 'bank_clearing'))
            GROUP BY 1, 2, 3
        ), wanted AS (
            SELECT refund.id, account.issuer_id AS owner, account.currency, refund.state, refund.amount,
                CASE WHEN refund.state IN ('pending', 'sent') THEN refund.amount ELSE 0 END AS going,
                CASE WHEN refund.state = 'done' AND refund.method = 'card' THEN refund.amount ELSE 0 END AS by_card,
                CASE WHEN refund.state = 'done' AND refund.method <> 'card' THEN refund.amount ELSE 0 END AS by_bank
            FROM billing_refund refund JOIN billing_balanceaccount account ON account.id = refund.account_id
        )
        SELECT coalesce(wanted.id, booked.cause_id), coalesce(wanted.state, 'nowhere'), coalesce(wanted.amount, 0),
            coalesce(booked.going, 0), coalesce(booked.by_card, 0) + coalesce(booked.by_bank, 0)
        FROM wanted FULL JOIN booked ON booked.cause_id = wanted.id AND booked.owner = wanted.owner
            AND booked.currency = wanted.currency
        WHERE coalesce(wanted.going, 0) <> coalesce(booked.going, 0)
            OR coalesce(wanted.by_card, 0) <> coalesce(booked.by_card, 0)
            OR coalesce(wanted.by_bank, 0) <> coalesce(booked.by_bank, 0) ORDER BY 1
        """
    )
    return Refund.objects.count(), [
        f"refund {refund} of {amount} is {state}: booked {going} as on its way and {gone} as gone"
        for refund, state, amount, going, gone in wrong
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
    "credit notes are of their invoices": _credit_notes_are_of_their_invoices,
    "credit notes are booked": _credit_notes_are_booked,
    "credit note numbers have no gap": _numbers_are_gapless,
    "balances of tenants are their movements": _balances_are_movements,
    "credit that left between closes says where it went": _credit_that_left_says_where,
    "debits are billed as they stand": _debits_are_billed,
    "write-offs are booked": _write_offs_are_booked,
    "refunds in transit are those on their way": _refunds_in_transit,
}
