"""The table of price rules goes: they are terms."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0021_price_rules_are_terms")]
    operations = [migrations.DeleteModel(name="ContractPriceRule")]
