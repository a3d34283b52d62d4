"""Usage hours of requests of different length stand apart; hours that are there keep 0: their requests' length was lost.

The column has a default in the database, so no row is written. The new unique index is built while rollup waits; a worker
of the release before fails on it and its work is done again by one of this release.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0005_cards'),
        ('metering', '0020_cuts_applied'),
        ('tenants', '0003_sign_in_attempts'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='usagehour',
            name='usage_hour_once',
        ),
        migrations.AddField(
            model_name='usagehour',
            name='context_over',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="tokens that each request's input exceeded (`metering.context_bands`); 0: no threshold, or not known"),
        ),
        migrations.AddConstraint(
            model_name='usagehour',
            constraint=models.UniqueConstraint(fields=('meter', 'from_at', 'deployment', 'tenant', 'quality', 'rule', 'version', 'context_over'), name='usage_hour_once', nulls_distinct=False),
        ),
    ]
