"""Steps of leases are facts."""

from django.db import migrations

from tenants.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("billing", "0016_leasing"), ("tenants", "0002_guards")]
    operations = [append_only("billing_leaseevent")]
