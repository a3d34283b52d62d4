"""Classes that only compare witnesses, and the terms of comparing of the shares that are agreed already."""

from django.db import migrations, models
from django.db.migrations.operations import RunSQL

AGREED = RunSQL(
    """
    INSERT INTO metering_comparisonterms (deployment_id, billed_by, tolerance_percent)
    SELECT bound.deployment_id, term.witness, term.tolerance_percent
    FROM billing_tokensharedeployment AS bound JOIN billing_tokenshare AS term ON term.id = bound.term_id
    ON CONFLICT (deployment_id) DO NOTHING
    """,
    RunSQL.noop,
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_invoice_changed_at"), ("metering", "0006_control")]
    operations = [
        migrations.AlterField(
            model_name="tokenprice",
            name="token_class",
            field=models.CharField(
                choices=[
                    ("input", "input tokens"),
                    ("cached_input", "cached input tokens"),
                    ("cache_write", "cache write tokens"),
                    ("output", "output tokens"),
                    ("reasoning", "reasoning tokens"),
                    ("requests", "requests"),
                    ("finished_input", "input tokens of finished requests"),
                    ("finished_output", "output tokens of finished requests"),
                    ("energy_mj", "energy in millijoules"),
                ],
                max_length=16,
            ),
        ),
        AGREED,
    ]
