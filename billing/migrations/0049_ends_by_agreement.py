"""An amendment may propose the end of its contract."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0048_reissues'),
    ]

    operations = [
        migrations.AddField(
            model_name='amendment',
            name='ends_at',
            field=models.DateTimeField(help_text='when the contract is to end; null: it goes on', null=True),
        ),
    ]
