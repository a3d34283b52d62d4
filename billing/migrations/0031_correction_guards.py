"""Corrections are facts, and never more than what they correct: at commit, whoever writes."""

from django.db import migrations
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only

LEFT = RunSQL(
    """
    CREATE FUNCTION forecourt_invoice_left(the_invoice uuid) RETURNS numeric LANGUAGE sql VOLATILE AS $$
        SELECT CASE WHEN invoice.state IN ('draft', 'void') THEN 0 ELSE invoice.total END
            - (SELECT coalesce(sum(amount), 0) FROM billing_payment WHERE invoice_id = the_invoice)
            + (
                SELECT coalesce(sum(reversal.amount), 0) FROM billing_paymentreversal reversal
                JOIN billing_payment payment ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
            )
            - (SELECT coalesce(sum(applied), 0) FROM billing_creditnote WHERE invoice_id = the_invoice)
            - (SELECT coalesce(sum(amount), 0) FROM billing_writeoff WHERE invoice_id = the_invoice)
        FROM billing_invoice invoice WHERE invoice.id = the_invoice
    $$
    """,
    "DROP FUNCTION forecourt_invoice_left(uuid)",
)

OWED_AGAIN = """
    CREATE OR REPLACE FUNCTION forecourt_is_owed_again(the_invoice uuid, total numeric) RETURNS boolean
    LANGUAGE sql STABLE AS $$
        SELECT EXISTS (
            SELECT FROM billing_paymentreversal reversal JOIN billing_payment payment
            ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
        ) AND {left} > 0
    $$
"""
PAID_LESS_TAKEN_BACK = """
    total - (SELECT coalesce(sum(amount), 0) FROM billing_payment WHERE invoice_id = the_invoice) + (
        SELECT coalesce(sum(reversal.amount), 0) FROM billing_paymentreversal reversal
        JOIN billing_payment payment ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
    )
"""
CREDITED_IS_NOT_OWED_AGAIN = RunSQL(
    OWED_AGAIN.format(left="forecourt_invoice_left(the_invoice)"), OWED_AGAIN.format(left=PAID_LESS_TAKEN_BACK)
)

# Each check first locks the invoice, so that two at once are weighed one after the other even where nobody locked.
CREDIT_NOTE_FITS = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_credit_note_fits() RETURNS trigger LANGUAGE plpgsql AS $$
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
            IF sums.total > billed.total OR sums.tax > billed.tax OR forecourt_invoice_left(billed.id) < 0 THEN
                RAISE EXCEPTION 'invoice % of % is credited with % in all: more than is left',
                    billed.number, billed.total, sums.total USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_creditnote_fits AFTER INSERT ON billing_creditnote
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forecourt_credit_note_fits()
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_creditnoteline_fits AFTER INSERT ON billing_creditnoteline
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forecourt_credit_note_fits()
        """,
    ],
    [
        "DROP TRIGGER billing_creditnoteline_fits ON billing_creditnoteline",
        "DROP TRIGGER billing_creditnote_fits ON billing_creditnote",
        "DROP FUNCTION forecourt_credit_note_fits()",
    ],
)

WRITE_OFF_FITS = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_write_off_fits() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            written numeric;
        BEGIN
            PERFORM FROM billing_invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
            SELECT sum(amount) INTO written FROM billing_writeoff WHERE invoice_id = NEW.invoice_id;
            IF written < 0 OR forecourt_invoice_left(NEW.invoice_id) < 0 THEN
                RAISE EXCEPTION 'invoice % is written off by %: more than is left', NEW.invoice_id, written
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_writeoff_fits AFTER INSERT ON billing_writeoff
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forecourt_write_off_fits()
        """,
    ],
    [
        "DROP TRIGGER billing_writeoff_fits ON billing_writeoff",
        "DROP FUNCTION forecourt_write_off_fits()",
    ],
)

BALANCE_NOT_BELOW_ZERO = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_balance_not_below_zero() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            stands numeric;
        BEGIN
            PERFORM FROM billing_balanceaccount WHERE id = NEW.account_id FOR NO KEY UPDATE;
            SELECT sum(amount) INTO stands FROM billing_balancemovement WHERE account_id = NEW.account_id;
            IF stands < 0 THEN
                RAISE EXCEPTION 'balance % would stand at %', NEW.account_id, stands
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER billing_balancemovement_not_below_zero AFTER INSERT ON billing_balancemovement
            FOR EACH ROW EXECUTE FUNCTION forecourt_balance_not_below_zero()
        """,
    ],
    [
        "DROP TRIGGER billing_balancemovement_not_below_zero ON billing_balancemovement",
        "DROP FUNCTION forecourt_balance_not_below_zero()",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0030_corrections"), ("tenants", "0002_guards")]
    operations = [
        append_only("billing_creditnote"),
        append_only("billing_creditnoteline"),
        append_only("billing_balanceaccount"),
        append_only("billing_balancemovement"),
        append_only("billing_writeoff"),
        LEFT,
        CREDITED_IS_NOT_OWED_AGAIN,
        CREDIT_NOTE_FITS,
        WRITE_OFF_FITS,
        BALANCE_NOT_BELOW_ZERO,
    ]
