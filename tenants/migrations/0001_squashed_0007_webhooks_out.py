"""Everything of tenants at once, in place of the 7 migrations of the time before the first release."""

from django.db import migrations

from tenants.migrations._first_guards import GUARDS
from tenants.migrations._first_tables import TABLES
from tenants.at_once import at_once


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("tenants", "0001_initial"),
        ("tenants", "0002_guards"),
        ("tenants", "0003_sign_in_attempts"),
        ("tenants", "0004_idempotent_calls"),
        ("tenants", "0005_idempotent_calls_by_time"),
        ("tenants", "0006_billing_profiles"),
        ("tenants", "0007_webhooks_out"),
    ]
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [*at_once(TABLES), *GUARDS]
