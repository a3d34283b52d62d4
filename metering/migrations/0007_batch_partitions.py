"""Batches are cut by month of receipt; what is stored becomes the first part."""

from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models

from metering.partition_plans import BATCHES
from metering.partition_tables import cut_table


def cut(apps, schema_editor):
    # The bodies are compressed already: trying once more costs time on every insert.
    schema_editor.execute("ALTER TABLE metering_batch ALTER COLUMN body SET STORAGE EXTERNAL")
    cut_table(plan=BATCHES, database=schema_editor.connection, now=datetime.now(UTC))


class Migration(migrations.Migration):
    dependencies = [("metering", "0006_control")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(cut, migrations.RunPython.noop)],
            state_operations=[
                migrations.RemoveConstraint(model_name="batch", name="batch_seq"),
                migrations.AlterField(
                    model_name="batch",
                    name="node",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="clusters.node",
                    ),
                ),
            ],
        ),
    ]
