"""The audit log refuses change; the function is shared by the guards of every app above."""

from django.db import migrations

from tenants.guards import REFUSE_CHANGE, append_only


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [REFUSE_CHANGE, append_only("tenants_auditentry")]
