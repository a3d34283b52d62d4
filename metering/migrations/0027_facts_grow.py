"""The database refuses what no path of metering does to its facts: rows grow, or stay as they are."""

from django.db import migrations

from tenants.guards import append_only, grows_only


class Migration(migrations.Migration):

    dependencies = [
        ("metering", "0026_billing_reporters"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        grows_only(
            "metering_usagehour",
            [
                "id", "meter_id", "witness", "quantity", "model", "hour_at", "from_at", "deployment_id", "tenant_id",
                "quality", "rule", "version", "context_over", "marks", "adjustment_id", "adjusts_id",
            ],
            writer="usage_hours",
        ),
        grows_only("metering_explaininghour", ["id", "deployment_id", "model", "hour_at"]),
        grows_only("metering_usagegap", ["id", "node_id", "subject", "subject_id", "from_at", "reason"]),
        grows_only("metering_eventkey", ["key", "content", "call"], forgetter="key_pass"),
        append_only("metering_meter"),
    ]
