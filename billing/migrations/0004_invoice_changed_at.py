"""Invoices know when they were last written, by the database's clock: what syncing programs follow."""

from django.db import migrations, models
from django.db.migrations.operations import RunSQL
from django.db.models.functions import Now

# The transaction takes its number before the clock is read: whoever asks for running transactions afterwards either
# sees this one or sees its row. Its name sorts after the guard of frozen invoices, which therefore sees no change.
STAMP = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_stamped() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_current_xact_id();
            NEW.changed_at := clock_timestamp();
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoice_stamped BEFORE INSERT OR UPDATE ON billing_invoice
            FOR EACH ROW EXECUTE FUNCTION forecourt_invoice_stamped()
        """,
    ],
    [
        "DROP TRIGGER billing_invoice_stamped ON billing_invoice",
        "DROP FUNCTION forecourt_invoice_stamped()",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_guards")]
    operations = [
        migrations.AddField(
            "invoice",
            "changed_at",
            models.DateTimeField(
                db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
            ),
        ),
        migrations.AddIndex("invoice", models.Index(fields=["changed_at", "id"], name="invoice_by_change")),
        STAMP,
    ]
