"""Usage without a price is a kind of alert: a choice, no change of the table."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metering', '0021_context_bands'),
    ]

    operations = [
        migrations.AlterField(
            model_name='alert',
            name='kind',
            field=models.CharField(choices=[('residual', "the witnesses differ by more than the contract's tolerance"), ('output_above_energy', "more output than the cards' energy can have made"), ('output_above_rate', 'more output than the best known rate allows'), ('energy_without_tokens', 'cards that work while no token is counted'), ('gateway_behind', 'a gateway that has not said for a while that it sent everything'), ('unpriced', 'usage that no price is in force for')], max_length=24),
        ),
    ]
