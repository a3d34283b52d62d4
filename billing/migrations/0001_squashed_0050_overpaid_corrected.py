"""Everything of billing at once, in place of the 50 migrations of the time before the first release."""

from django.db import migrations

from billing.migrations._first_guards import GUARDS
from billing.migrations._first_tables import TABLES
from tenants.at_once import at_once


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("billing", "0001_initial"),
        ("billing", "0002_initial"),
        ("billing", "0003_guards"),
        ("billing", "0004_invoice_changed_at"),
        ("billing", "0005_control"),
        ("billing", "0006_event_grace"),
        ("billing", "0007_context_tiers"),
        ("billing", "0008_marks"),
        ("billing", "0009_cluster_costs"),
        ("billing", "0010_price_changes"),
        ("billing", "0011_price_guards"),
        ("billing", "0012_terms"),
        ("billing", "0013_leases_and_shares_moved"),
        ("billing", "0014_leases_and_shares_gone"),
        ("billing", "0015_agreements"),
        ("billing", "0016_leasing"),
        ("billing", "0017_leasing_guards"),
        ("billing", "0018_credits"),
        ("billing", "0019_revenue_statements"),
        ("billing", "0020_granted_credit"),
        ("billing", "0021_price_rules_are_terms"),
        ("billing", "0022_price_rules_gone"),
        ("billing", "0023_coupon_ends"),
        ("billing", "0024_witness_answers"),
        ("billing", "0025_sessions"),
        ("billing", "0026_payment_reversals"),
        ("billing", "0027_invoice_parties"),
        ("billing", "0028_statements"),
        ("billing", "0029_adjustments"),
        ("billing", "0030_corrections"),
        ("billing", "0031_correction_guards"),
        ("billing", "0032_documents"),
        ("billing", "0033_bookkeeping"),
        ("billing", "0034_taxes"),
        ("billing", "0035_refunds_and_disputes"),
        ("billing", "0036_issuing"),
        ("billing", "0037_bank_statements"),
        ("billing", "0038_payouts"),
        ("billing", "0039_overpaid_back"),
        ("billing", "0040_collecting"),
        ("billing", "0041_tax_questions"),
        ("billing", "0042_dunning"),
        ("billing", "0043_reconciling"),
        ("billing", "0044_credit_left"),
        ("billing", "0045_stripe_rates"),
        ("billing", "0046_top_ups"),
        ("billing", "0047_top_up_charges"),
        ("billing", "0048_reissues"),
        ("billing", "0049_ends_by_agreement"),
        ("billing", "0050_overpaid_corrected"),
    ]
    dependencies = [
        ("clusters", "0001_squashed_0007_allocation_by_span"),
        ("tenants", "0001_squashed_0007_webhooks_out"),
    ]
    operations = [*at_once(TABLES), *GUARDS]
