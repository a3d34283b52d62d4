"""Refunds keep what they are about and go forward; questions of tenants have one outcome."""

import django.db.models.deletion
import tenants.ids
from django.db import migrations, models
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only, grows_only


FORWARD = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_refund_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'pending' AND NEW.state IN ('sent', 'done', 'failed'))
                OR (OLD.state = 'sent' AND NEW.state IN ('done', 'failed'))
                OR (OLD.state = 'done' AND NEW.state = 'failed')
            ) THEN
                RAISE EXCEPTION 'refund % cannot go from % to %', OLD.id, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_refund_forward BEFORE UPDATE ON billing_refund
            FOR EACH ROW EXECUTE FUNCTION forecourt_refund_forward()
        """,
        """
        CREATE FUNCTION forecourt_dispute_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state <> 'open' THEN
                RAISE EXCEPTION 'dispute % is %', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_dispute_forward BEFORE UPDATE ON billing_dispute
            FOR EACH ROW EXECUTE FUNCTION forecourt_dispute_forward()
        """,
    ],
    [
        "DROP TRIGGER billing_dispute_forward ON billing_dispute",
        "DROP FUNCTION forecourt_dispute_forward()",
        "DROP TRIGGER billing_refund_forward ON billing_refund",
        "DROP FUNCTION forecourt_refund_forward()",
    ],
)

CARD_REFUND_COVERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_refund_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            came numeric;
            given numeric;
        BEGIN
            IF NEW.payment_id IS NULL THEN
                RETURN NEW;
            END IF;
            SELECT amount INTO came FROM billing_payment WHERE id = NEW.payment_id FOR UPDATE;
            SELECT coalesce(sum(amount), 0) INTO given FROM billing_refund
                WHERE payment_id = NEW.payment_id AND state <> 'failed';
            IF given + NEW.amount > came THEN
                RAISE EXCEPTION 'payment % of % has % refunded already', NEW.payment_id, came, given
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_refund_covered BEFORE INSERT ON billing_refund
            FOR EACH ROW EXECUTE FUNCTION forecourt_refund_covered()
        """,
    ],
    ["DROP TRIGGER billing_refund_covered ON billing_refund", "DROP FUNCTION forecourt_refund_covered()"],
)

REFUND_KEY = ("id", "account_id", "amount", "method", "payment_id", "reason", "requested_by", "requested_at")
DISPUTE_KEY = ("id", "invoice_id", "line_id", "issuer_id", "tenant_id", "pauses_dunning", "opened_by", "opened_at")


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0034_taxes"),
        ('tenants', '0006_billing_profiles'),
    ]

    operations = [
        migrations.CreateModel(
            name='CorrectionPolicy',
            fields=[
                ('provider', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='correction_policy', serialize=False, to='tenants.organization')),
                ('disputes_pause_dunning', models.BooleanField(default=True, help_text='whether an open question stops reminders and what follows them')),
                ('applies_balances', models.BooleanField(default=True, help_text="whether a tenant's balance pays its next invoices by itself")),
            ],
        ),
        migrations.AlterField(
            model_name='ledgeraccount',
            name='kind',
            field=models.CharField(choices=[('tenant_receivable', 'Tenant Receivable'), ('prepaid_credit', 'Prepaid Credit'), ('tenant_balance', 'Tenant Balance'), ('refund_in_transit', 'Refund In Transit'), ('granted_credit', 'Granted Credit'), ('deposit_held', 'Deposit Held'), ('provider_payable', 'Provider Payable'), ('payout_in_transit', 'Payout In Transit'), ('operator_fee', 'Operator Fee'), ('tax_payable', 'Tax Payable'), ('sla_credits', 'Sla Credits'), ('write_off', 'Write Off'), ('stripe_clearing', 'Stripe Clearing'), ('bank_clearing', 'Bank Clearing'), ('rounding', 'Rounding')], max_length=20),
        ),
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('pauses_dunning', models.BooleanField(help_text="as the issuer's policy was when it was opened")),
                ('opened_by', models.CharField(help_text='user e-mail or API key prefix', max_length=200)),
                ('opened_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('open', 'open'), ('credited', 'credited'), ('upheld', 'the invoice stands'), ('withdrawn', 'withdrawn')], default='open', max_length=12)),
                ('resolved_by', models.CharField(blank=True, default='', max_length=200)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('credit_note', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dispute', to='billing.creditnote')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='billing.invoice')),
                ('issuer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes_to_answer', to='tenants.organization')),
                ('line', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='billing.invoiceline')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='tenants.organization')),
            ],
        ),
        migrations.CreateModel(
            name='DisputeMessage',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('side', models.CharField(choices=[('tenant', 'Tenant'), ('provider', 'Provider')], max_length=8)),
                ('author', models.CharField(help_text='user e-mail or API key prefix', max_length=200)),
                ('text', models.CharField(max_length=4000)),
                ('at', models.DateTimeField()),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='billing.dispute')),
            ],
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=38)),
                ('method', models.CharField(choices=[('card', 'to the card that paid'), ('bank_transfer', 'by bank transfer')], max_length=16)),
                ('reason', models.CharField(max_length=500)),
                ('requested_by', models.CharField(help_text='user e-mail, API key prefix or job name', max_length=200)),
                ('requested_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('pending', 'to be sent'), ('sent', 'on its way'), ('done', 'arrived'), ('failed', 'came back to the balance')], default='pending', max_length=8)),
                ('reference', models.CharField(blank=True, default='', help_text="of the bank, or Stripe's refund", max_length=200)),
                ('last_error', models.CharField(blank=True, default='', max_length=500)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_try_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.balanceaccount')),
                ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.payment')),
            ],
        ),
        migrations.AddIndex(
            model_name='dispute',
            index=models.Index(fields=['tenant', '-opened_at'], name='dispute_by_tenant'),
        ),
        migrations.AddIndex(
            model_name='dispute',
            index=models.Index(fields=['issuer', '-opened_at'], name='dispute_by_issuer'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('invoice', 'line'), name='one_open_dispute_of_a_line', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('resolved_at__isnull', False)), _connector='OR'), name='dispute_resolved_once_over'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('credit_note__isnull', False), ('state', 'credited')), models.Q(models.Q(('state', 'credited'), _negated=True), ('credit_note__isnull', True)), _connector='OR'), name='dispute_credited_by_a_note'),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(fields=['state', 'next_try_at'], name='refund_due'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='refund_positive'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('method', 'card'), ('payment__isnull', False)), models.Q(('method', 'bank_transfer'), ('payment__isnull', True)), _connector='OR'), name='refund_to_the_card_that_paid'),
        ),
        append_only("billing_disputemessage"),
        grows_only("billing_refund", REFUND_KEY),
        grows_only("billing_dispute", DISPUTE_KEY),
        FORWARD,
        CARD_REFUND_COVERED,
    ]
