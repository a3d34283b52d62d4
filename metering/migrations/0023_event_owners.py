"""By which deployments tenants' events were attributed; usage of before is looked through once."""

import django.db.models.deletion
from django.db import migrations, models

# Attributed by nobody knows what: the first sweep compares it with the deployments of then.
FILL = """
    INSERT INTO metering_eventowners (tenant_id, spans)
    SELECT DISTINCT tenant_id, '[]'::jsonb FROM metering_usagehour WHERE witness = 'gateway' AND tenant_id IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('metering', '0022_unpriced_alert'),
        ('tenants', '0003_sign_in_attempts'),
    ]

    operations = [
        migrations.CreateModel(
            name='EventOwners',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='tenants.organization')),
                ('spans', models.JSONField(default=list)),
                ('restate_from_at', models.DateTimeField(null=True)),
                ('restate_to_at', models.DateTimeField(null=True)),
                ('checked_at', models.DateTimeField(help_text='when a sweep last compared them', null=True)),
            ],
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
