"""How many calls of the API each caller made in the running minute."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a table that needs not survive a crash, so its writes are not logged."""

    dependencies: ClassVar = [("tenants", "0007_webhooks_out")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="RateWindow",
            fields=[
                (
                    "caller",
                    models.CharField(
                        help_text="`key` and its id, or `address` and it",
                        max_length=60,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("window_at", models.DateTimeField()),
                ("taken", models.PositiveIntegerField()),
            ],
        ),
        migrations.RunSQL("ALTER TABLE tenants_ratewindow SET UNLOGGED", migrations.RunSQL.noop),
    ]
