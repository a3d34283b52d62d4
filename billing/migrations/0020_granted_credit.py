"""The account of credit that a provider gives away; a choice is nothing that the database knows of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0019_revenue_statements")]

    operations = [
        migrations.AlterField(
            model_name="ledgeraccount",
            name="kind",
            field=models.CharField(choices=[("tenant_receivable", "Tenant Receivable"), ("prepaid_credit", "Prepaid Credit"), ("granted_credit", "Granted Credit"), ("deposit_held", "Deposit Held"), ("provider_payable", "Provider Payable"), ("payout_in_transit", "Payout In Transit"), ("operator_fee", "Operator Fee"), ("tax_payable", "Tax Payable"), ("sla_credits", "Sla Credits"), ("write_off", "Write Off"), ("stripe_clearing", "Stripe Clearing"), ("bank_clearing", "Bank Clearing"), ("rounding", "Rounding")], max_length=20),
        ),
    ]
