from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0070_lease_end_reasons'),
    ]

    operations = [
        migrations.AddField(
            model_name='budgetlook',
            name='days_at',
            field=models.DateTimeField(help_text='when that was found: a sum alone is found more often', null=True),
        ),
    ]
