"""Usage hours of requests with different marks stand apart; hours that are there keep none.

The column has a default in the database, so no row is written; the new unique index is built while rollup waits.
"""

from django.db import migrations, models

class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0005_cards'),
        ('metering', '0023_event_owners'),
        ('tenants', '0003_sign_in_attempts'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='usagehour',
            name='usage_hour_once',
        ),
        migrations.AddField(
            model_name='usagehour',
            name='marks',
            field=models.CharField(blank=True, db_default='', default='', help_text='marks that each request had (`metering.event_marks`), joined by +; empty: none, or not known', max_length=48),
        ),
        migrations.AlterField(
            model_name='meter',
            name='quantity',
            field=models.CharField(choices=[('input', 'input tokens'), ('cached_input', 'cached input tokens'), ('cache_write', 'cache write tokens'), ('output', 'output tokens'), ('reasoning', 'reasoning tokens'), ('requests', 'requests'), ('images', 'images'), ('audio_seconds', 'seconds of audio'), ('video_seconds', 'seconds of video'), ('steps', 'steps'), ('finished_input', 'input tokens of finished requests'), ('finished_output', 'output tokens of finished requests'), ('energy_mj', 'energy in millijoules')], max_length=16),
        ),
        migrations.AlterField(
            model_name='usagehour',
            name='quantity',
            field=models.CharField(choices=[('input', 'input tokens'), ('cached_input', 'cached input tokens'), ('cache_write', 'cache write tokens'), ('output', 'output tokens'), ('reasoning', 'reasoning tokens'), ('requests', 'requests'), ('images', 'images'), ('audio_seconds', 'seconds of audio'), ('video_seconds', 'seconds of video'), ('steps', 'steps'), ('finished_input', 'input tokens of finished requests'), ('finished_output', 'output tokens of finished requests'), ('energy_mj', 'energy in millijoules')], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='usagehour',
            constraint=models.UniqueConstraint(fields=('meter', 'from_at', 'deployment', 'tenant', 'quality', 'rule', 'version', 'context_over', 'marks'), name='usage_hour_once', nulls_distinct=False),
        ),
    ]
