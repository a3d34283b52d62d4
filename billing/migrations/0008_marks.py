"""Quantities beside tokens may be named in a price; nothing changes in the database."""

from django.db import migrations, models

class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0007_context_tiers'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tokenprice',
            name='token_class',
            field=models.CharField(choices=[('input', 'input tokens'), ('cached_input', 'cached input tokens'), ('cache_write', 'cache write tokens'), ('output', 'output tokens'), ('reasoning', 'reasoning tokens'), ('requests', 'requests'), ('images', 'images'), ('audio_seconds', 'seconds of audio'), ('video_seconds', 'seconds of video'), ('steps', 'steps'), ('finished_input', 'input tokens of finished requests'), ('finished_output', 'output tokens of finished requests'), ('energy_mj', 'energy in millijoules')], max_length=16),
        ),
    ]
