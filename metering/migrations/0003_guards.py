"""Batches, events and their conflicts are facts: the database refuses to change them."""

from django.db import migrations

from tenants.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("metering", "0002_initial"), ("tenants", "0002_guards")]
    operations = [
        append_only("metering_batch"),
        append_only("metering_batchconflict"),
        append_only("metering_usageevent"),
        append_only("metering_eventconflict"),
    ]
