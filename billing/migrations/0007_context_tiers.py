"""Prices of long requests, and the tier on charges and sublines. What is there is in the base tier: 0, the default."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_event_grace'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='tokenprice',
            name='token_price_once',
        ),
        migrations.AddField(
            model_name='charge',
            name='context_over',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='threshold of the tier, in input tokens of a request; 0: no tier'),
        ),
        migrations.AddField(
            model_name='invoicesubline',
            name='context_over',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='threshold of the tier, in input tokens of a request; 0: no tier'),
        ),
        migrations.AddField(
            model_name='tokenprice',
            name='context_over',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='holds for the whole of a request whose input exceeds so many tokens; 0: for all requests'),
        ),
        migrations.AddConstraint(
            model_name='tokenprice',
            constraint=models.UniqueConstraint(fields=('version', 'model', 'token_class', 'context_over'), name='token_price_once'),
        ),
    ]
