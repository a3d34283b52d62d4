"""An invoice of which more was paid than was owed can be credited, and what was written off of it recovered.

Stripe can hold more than an invoice owes, and that is recorded: less than nothing is left then. A credit note that takes
nothing off what is left, and a recovery of all that was written off, leave it so. The guards refused both, and the payment with the recovery.
"""

from django.db import migrations
from django.db.migrations import RunSQL

CREDIT_NOTE_FITS = """
    CREATE OR REPLACE FUNCTION forecourt_credit_note_fits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        note billing_creditnote;
        billed billing_invoice;
        sums record;
        bad record;
    BEGIN
        IF TG_TABLE_NAME = 'billing_creditnote' THEN
            SELECT * INTO note FROM billing_creditnote WHERE id = NEW.id;
        ELSE
            SELECT * INTO note FROM billing_creditnote WHERE id = NEW.credit_note_id;
        END IF;
        SELECT * INTO billed FROM billing_invoice WHERE id = note.invoice_id FOR NO KEY UPDATE;
        IF billed.state IN ('draft', 'void') OR (note.issuer_id, note.tenant_id, note.currency)
            IS DISTINCT FROM (billed.issuer_id, billed.tenant_id, billed.currency) THEN
            RAISE EXCEPTION 'credit note % is not of an issued invoice of the same parties', note.number
                USING ERRCODE = 'check_violation';
        END IF;
        SELECT coalesce(sum(amount), 0) AS subtotal, coalesce(sum(tax), 0) AS tax INTO sums
            FROM billing_creditnoteline WHERE credit_note_id = note.id;
        IF sums.subtotal <> note.subtotal OR sums.tax <> note.tax THEN
            RAISE EXCEPTION 'credit note % does not add up: lines % and %, subtotal %, tax %',
                note.number, sums.subtotal, sums.tax, note.subtotal, note.tax
                USING ERRCODE = 'check_violation';
        END IF;
        SELECT line.position, line.amount, sum(credited.amount) AS credited INTO bad
            FROM billing_creditnoteline credited
            JOIN billing_creditnote other ON other.id = credited.credit_note_id
            JOIN billing_invoiceline line ON line.id = credited.line_id
            WHERE other.invoice_id = billed.id GROUP BY line.id
            HAVING line.invoice_id <> billed.id OR sum(credited.amount) * sign(line.amount) < 0
                OR abs(sum(credited.amount)) > abs(line.amount) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'line % of invoice % is %, credited %',
                bad.position, billed.number, bad.amount, bad.credited USING ERRCODE = 'check_violation';
        END IF;
        SELECT sum(total) AS total, sum(tax) AS tax INTO sums FROM billing_creditnote WHERE invoice_id = billed.id;
        IF sums.total > billed.total OR sums.tax > billed.tax OR {too_much} THEN
            RAISE EXCEPTION 'invoice % of % is credited with % in all: more than is left',
                billed.number, billed.total, sums.total USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
"""
WRITE_OFF_FITS = """
    CREATE OR REPLACE FUNCTION forecourt_write_off_fits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        written numeric;
    BEGIN
        PERFORM FROM billing_invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
        SELECT sum(amount) INTO written FROM billing_writeoff WHERE invoice_id = NEW.invoice_id;
        IF written < 0 OR {too_much} THEN
            RAISE EXCEPTION 'invoice % is written off by %: more than is left', NEW.invoice_id, written
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
"""
NOTE_LEFT = "forecourt_invoice_left(billed.id) < 0"
WRITE_OFF_LEFT = "forecourt_invoice_left(NEW.invoice_id) < 0"


class Migration(migrations.Migration):
    dependencies = [("billing", "0049_ends_by_agreement")]
    operations = [
        RunSQL(
            CREDIT_NOTE_FITS.format(too_much=f"(note.applied > 0 AND {NOTE_LEFT})"),
            CREDIT_NOTE_FITS.format(too_much=NOTE_LEFT),
        ),
        RunSQL(
            WRITE_OFF_FITS.format(too_much=f"(written > 0 AND {WRITE_OFF_LEFT})"),
            WRITE_OFF_FITS.format(too_much=WRITE_OFF_LEFT),
        ),
    ]
