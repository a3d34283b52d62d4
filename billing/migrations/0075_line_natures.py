"""A line of an invoice says what it is; credit notes go up to the total before what deposits and bought credit paid."""

from django.db import migrations, models
from django.db.migrations.operations import RunSQL

BEFORE = """
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
        IF sums.total > billed.total OR sums.tax > billed.tax OR (note.applied > 0 AND forecourt_invoice_left(billed.id) < 0) THEN
            RAISE EXCEPTION 'invoice % of % is credited with % in all: more than is left',
                billed.number, billed.total, sums.total USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
"""
AFTER = """
        CREATE OR REPLACE FUNCTION forecourt_credit_note_fits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        note billing_creditnote;
        billed billing_invoice;
        sums record;
        bad record;
        whole numeric;
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
        SELECT billed.total - coalesce(sum(amount), 0) INTO whole FROM billing_invoiceline
            WHERE invoice_id = billed.id AND nature IN ('held', 'payment');
        IF sums.total > whole OR sums.tax > billed.tax OR (
            note.applied > 0 AND forecourt_invoice_left(billed.id) < 0
        ) THEN
            RAISE EXCEPTION 'invoice % of % is credited with % in all: more than is left',
                billed.number, whole, sums.total USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0074_period_by_end'),
    ]

    operations = [
        migrations.AddField(
            model_name='invoiceline',
            name='nature',
            field=models.CharField(blank=True, db_default='', default='', help_text='supply, held, payment or late_fee; empty where it was issued before this was kept', max_length=8),
        ),
        RunSQL([AFTER], [BEFORE]),
    ]
