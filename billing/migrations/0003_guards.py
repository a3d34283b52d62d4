"""The books refuse change and imbalance; issued invoices refuse change; prices and charges are append-only."""

from django.db import migrations
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only

BALANCED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_posting_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            the_posting uuid;
            bad record;
        BEGIN
            IF TG_TABLE_NAME = 'billing_ledgerposting' THEN
                the_posting := NEW.id;
            ELSE
                the_posting := NEW.posting_id;
            END IF;
            IF (SELECT count(*) FROM billing_ledgerentry WHERE posting_id = the_posting) < 2 THEN
                RAISE EXCEPTION 'posting % has fewer than two entries', the_posting
                    USING ERRCODE = 'check_violation';
            END IF;
            SELECT currency, sum(amount) AS amount INTO bad FROM billing_ledgerentry
                WHERE posting_id = the_posting GROUP BY currency HAVING sum(amount) <> 0 LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'posting % is out of balance by % %', the_posting, bad.amount, bad.currency
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_ledgerentry_balanced AFTER INSERT ON billing_ledgerentry
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forecourt_posting_balanced()
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_ledgerposting_balanced AFTER INSERT ON billing_ledgerposting
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forecourt_posting_balanced()
        """,
        """
        CREATE FUNCTION forecourt_entry_currency() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.currency <> (SELECT currency FROM billing_ledgeraccount WHERE id = NEW.account_id) THEN
                RAISE EXCEPTION 'entry in % on an account in another currency', NEW.currency
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_ledgerentry_currency BEFORE INSERT ON billing_ledgerentry
            FOR EACH ROW EXECUTE FUNCTION forecourt_entry_currency()
        """,
    ],
    [
        "DROP TRIGGER billing_ledgerentry_currency ON billing_ledgerentry",
        "DROP FUNCTION forecourt_entry_currency()",
        "DROP TRIGGER billing_ledgerposting_balanced ON billing_ledgerposting",
        "DROP TRIGGER billing_ledgerentry_balanced ON billing_ledgerentry",
        "DROP FUNCTION forecourt_posting_balanced()",
    ],
)

FROZEN_INVOICE = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            lines_total numeric;
        BEGIN
            IF TG_OP = 'DELETE' THEN
                IF OLD.state <> 'draft' THEN
                    RAISE EXCEPTION 'invoice % is issued and cannot be deleted', OLD.number
                        USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN OLD;
            END IF;
            IF OLD.state = 'draft' THEN
                IF NEW.state = 'issued' THEN
                    SELECT coalesce(sum(amount), 0) INTO lines_total
                        FROM billing_invoiceline WHERE invoice_id = NEW.id;
                    IF NEW.subtotal <> lines_total OR NEW.total <> NEW.subtotal + NEW.tax THEN
                        RAISE EXCEPTION 'invoice % does not add up: lines %, subtotal %, tax %, total %',
                            NEW.number, lines_total, NEW.subtotal, NEW.tax, NEW.total
                            USING ERRCODE = 'check_violation';
                    END IF;
                ELSIF NEW.state <> 'draft' THEN
                    RAISE EXCEPTION 'a draft can only be issued, not become %', NEW.state
                        USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN NEW;
            END IF;
            IF (to_jsonb(NEW) - ARRAY['state', 'paid_at', 'updated_at'])
                <> (to_jsonb(OLD) - ARRAY['state', 'paid_at', 'updated_at']) THEN
                RAISE EXCEPTION 'invoice % is issued and cannot change', OLD.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'issued' AND NEW.state IN ('paid', 'uncollectible', 'void'))
                OR (OLD.state = 'uncollectible' AND NEW.state IN ('paid', 'void'))
            ) THEN
                RAISE EXCEPTION 'invoice % cannot go from % to %', OLD.number, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoice_frozen BEFORE UPDATE OR DELETE ON billing_invoice
            FOR EACH ROW EXECUTE FUNCTION forecourt_invoice_frozen()
        """,
        """
        CREATE FUNCTION forecourt_line_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            the_invoice uuid;
            the_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
        BEGIN
            IF TG_TABLE_NAME = 'billing_invoiceline' THEN
                the_invoice := (the_row ->> 'invoice_id')::uuid;
            ELSE
                SELECT invoice_id INTO the_invoice FROM billing_invoiceline
                    WHERE id = (the_row ->> 'line_id')::uuid;
            END IF;
            IF (SELECT state FROM billing_invoice WHERE id = the_invoice) <> 'draft' THEN
                RAISE EXCEPTION 'the invoice of this line is issued: % refused', TG_OP
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoiceline_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_invoiceline
            FOR EACH ROW EXECUTE FUNCTION forecourt_line_frozen()
        """,
        """
        CREATE TRIGGER billing_invoicesubline_frozen BEFORE INSERT OR UPDATE OR DELETE ON billing_invoicesubline
            FOR EACH ROW EXECUTE FUNCTION forecourt_line_frozen()
        """,
    ],
    [
        "DROP TRIGGER billing_invoicesubline_frozen ON billing_invoicesubline",
        "DROP TRIGGER billing_invoiceline_frozen ON billing_invoiceline",
        "DROP FUNCTION forecourt_line_frozen()",
        "DROP TRIGGER billing_invoice_frozen ON billing_invoice",
        "DROP FUNCTION forecourt_invoice_frozen()",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_initial"), ("tenants", "0002_guards")]
    operations = [
        append_only("billing_priceversion"),
        append_only("billing_tokenprice"),
        append_only("billing_gpuprice"),
        append_only("billing_charge"),
        append_only("billing_ledgerposting"),
        append_only("billing_ledgerentry"),
        append_only("billing_payment"),
        append_only("billing_invoiceevidence"),
        BALANCED,
        FROZEN_INVOICE,
    ]
