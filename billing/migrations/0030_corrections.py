"""Credit notes, balances of tenants and write-offs."""

import django.db.models.deletion
import django.db.models.expressions
import tenants.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0029_adjustments"),
        ("tenants", "0005_idempotent_calls_by_time"),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditNoteSequence",
            fields=[
                (
                    "issuer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenants.organization",
                    ),
                ),
                ("prefix", models.CharField(max_length=20)),
                ("next_number", models.PositiveBigIntegerField(default=1)),
            ],
        ),
        migrations.AlterField(
            model_name="ledgeraccount",
            name="kind",
            field=models.CharField(
                choices=[
                    ("tenant_receivable", "Tenant Receivable"),
                    ("prepaid_credit", "Prepaid Credit"),
                    ("tenant_balance", "Tenant Balance"),
                    ("granted_credit", "Granted Credit"),
                    ("deposit_held", "Deposit Held"),
                    ("provider_payable", "Provider Payable"),
                    ("payout_in_transit", "Payout In Transit"),
                    ("operator_fee", "Operator Fee"),
                    ("tax_payable", "Tax Payable"),
                    ("sla_credits", "Sla Credits"),
                    ("write_off", "Write Off"),
                    ("stripe_clearing", "Stripe Clearing"),
                    ("bank_clearing", "Bank Clearing"),
                    ("rounding", "Rounding"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="BalanceAccount",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("currency", models.CharField(max_length=3)),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balance_accounts_kept",
                        to="tenants.organization",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balance_accounts",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BalanceMovement",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("credit_note", "a credit note for what was paid"),
                            ("overpaid", "paid more than was owed"),
                            ("applied", "paid an invoice"),
                            ("applied_back", "a payment from the balance was taken back"),
                            ("refund", "paid out"),
                            ("refund_back", "a refund that did not arrive"),
                        ],
                        max_length=16,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=4, max_digits=38)),
                ("key", models.CharField(help_text="key of the posting that books it", max_length=200, unique=True)),
                ("cause_id", models.UUIDField(help_text="the credit note, payment or refund behind it")),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements",
                        to="billing.balanceaccount",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditNote",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("number", models.CharField(help_text="gapless per issuer", max_length=40)),
                ("currency", models.CharField(max_length=3)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("billing_error", "billed wrongly"),
                            ("service", "the service was not as agreed"),
                            ("dispute", "a question of the tenant was granted"),
                            ("goodwill", "goodwill"),
                            ("cancelled", "the order was cancelled"),
                        ],
                        max_length=16,
                    ),
                ),
                ("note", models.CharField(max_length=500)),
                ("subtotal", models.DecimalField(decimal_places=4, max_digits=38)),
                ("tax", models.DecimalField(decimal_places=4, max_digits=38)),
                ("total", models.DecimalField(decimal_places=4, max_digits=38)),
                ("applied", models.DecimalField(decimal_places=4, max_digits=38)),
                ("operator_fee", models.DecimalField(decimal_places=4, max_digits=38)),
                ("issued_by", models.CharField(help_text="user e-mail, API key prefix or job name", max_length=200)),
                ("issued_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credit_notes", to="billing.invoice"
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes_issued",
                        to="tenants.organization",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditNoteLine",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("position", models.PositiveIntegerField()),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="in the line's unit; null where an amount was named",
                        max_digits=40,
                        null=True,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=4, max_digits=38)),
                ("tax", models.DecimalField(decimal_places=4, max_digits=38)),
                (
                    "credit_note",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.creditnote"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_note_lines",
                        to="billing.invoiceline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WriteOff",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("amount", models.DecimalField(decimal_places=4, max_digits=38)),
                ("reason", models.CharField(max_length=500)),
                ("by", models.CharField(help_text="user e-mail, API key prefix or job name", max_length=200)),
                ("at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="write_offs", to="billing.invoice"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="balanceaccount",
            constraint=models.UniqueConstraint(fields=("tenant", "issuer", "currency"), name="balance_account_once"),
        ),
        migrations.AddIndex(
            model_name="balancemovement",
            index=models.Index(fields=["account", "at"], name="balance_movement_by_account"),
        ),
        migrations.AddConstraint(
            model_name="balancemovement",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="balance_movement_not_zero"
            ),
        ),
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(fields=["tenant", "-issued_at"], name="credit_note_by_tenant"),
        ),
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(fields=["issuer", "-issued_at"], name="credit_note_by_issuer"),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(fields=("issuer", "number"), name="credit_note_number_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total",
                        django.db.models.expressions.CombinedExpression(models.F("subtotal"), "+", models.F("tax")),
                    ),
                    ("total__gt", 0),
                ),
                name="credit_note_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(("applied__gte", 0), ("applied__lte", models.F("total"))),
                name="credit_note_applied_within",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.UniqueConstraint(fields=("credit_note", "position"), name="credit_note_line_position"),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.UniqueConstraint(fields=("credit_note", "line"), name="credit_note_line_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="credit_note_line_not_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="writeoff",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="write_off_not_zero"
            ),
        ),
    ]
