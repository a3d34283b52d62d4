"""Payments can be taken back: append-only rows, never more than came, and a paid invoice owed again by them alone."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations import RunSQL

import tenants.ids
from tenants.guards import append_only

NOT_MORE_THAN_CAME = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_reversal_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            came numeric;
            taken numeric;
        BEGIN
            -- Two at once wait for each other at the payment's row.
            SELECT amount INTO came FROM billing_payment WHERE id = NEW.payment_id FOR UPDATE;
            SELECT coalesce(sum(amount), 0) INTO taken FROM billing_paymentreversal WHERE payment_id = NEW.payment_id;
            IF taken + NEW.amount > came THEN
                RAISE EXCEPTION 'payment % of % has % taken back already', NEW.payment_id, came, taken
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_paymentreversal_covered BEFORE INSERT ON billing_paymentreversal
            FOR EACH ROW EXECUTE FUNCTION forecourt_reversal_covered()
        """,
    ],
    [
        "DROP TRIGGER billing_paymentreversal_covered ON billing_paymentreversal",
        "DROP FUNCTION forecourt_reversal_covered()",
    ],
)

FORWARD_ONLY = """
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'issued' AND NEW.state IN ('paid', 'uncollectible', 'void'))
        OR (OLD.state = 'uncollectible' AND NEW.state IN ('paid', 'void'))
    ) THEN
"""
OR_OWED_AGAIN = """
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'issued' AND NEW.state IN ('paid', 'uncollectible', 'void'))
        OR (OLD.state = 'uncollectible' AND NEW.state IN ('paid', 'void'))
        OR (OLD.state = 'paid' AND NEW.state = 'issued' AND forecourt_is_owed_again(OLD.id, OLD.total))
    ) THEN
"""

FROZEN = """
    CREATE OR REPLACE FUNCTION forecourt_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
        {states}
            RAISE EXCEPTION 'invoice % cannot go from % to %', OLD.number, OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
"""

OWED_AGAIN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_is_owed_again(the_invoice uuid, total numeric) RETURNS boolean LANGUAGE sql STABLE AS $$
            SELECT EXISTS (
                SELECT FROM billing_paymentreversal reversal JOIN billing_payment payment
                ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
            ) AND total > (
                SELECT coalesce(sum(amount), 0) FROM billing_payment WHERE invoice_id = the_invoice
            ) - (
                SELECT coalesce(sum(reversal.amount), 0) FROM billing_paymentreversal reversal
                JOIN billing_payment payment ON payment.id = reversal.payment_id
                WHERE payment.invoice_id = the_invoice
            )
        $$
        """,
        FROZEN.format(states=OR_OWED_AGAIN),
    ],
    [FROZEN.format(states=FORWARD_ONLY), "DROP FUNCTION forecourt_is_owed_again(uuid, numeric)"],
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_sessions"), ("tenants", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="PaymentReversal",
            fields=[
                (
                    "id",
                    models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("reference", models.CharField(max_length=200, unique=True)),
                ("amount", models.DecimalField(decimal_places=4, max_digits=38)),
                ("reason", models.CharField(max_length=200)),
                ("by", models.CharField(help_text="user e-mail, API key prefix or job name", max_length=200)),
                ("reversed_at", models.DateTimeField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reversals", to="billing.payment"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="payment_reversal_positive")
                ],
            },
        ),
        append_only("billing_paymentreversal"),
        NOT_MORE_THAN_CAME,
        OWED_AGAIN,
    ]
