
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0001_squashed_0007_allocation_by_span'),
        ('metering', '0028_keys'),
        ('tenants', '0012_organizations'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='usagehour',
            index=models.Index(condition=models.Q(('quality', 'Q')), fields=['hour_at'], name='usage_held'),
        ),
    ]
