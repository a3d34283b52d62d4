"""A posting says in whose book it stands; checkpoints hold what every account stood at."""

import django.db.models.deletion
import tenants.ids
from django.db import migrations, models
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only

# What was posted before says by its accounts whose it is. The guard against changes is put aside for that one step.
POSTED_BEFORE = RunSQL(
    [
        "ALTER TABLE billing_ledgerposting DISABLE TRIGGER billing_ledgerposting_append_only",
        """
        UPDATE billing_ledgerposting posting SET provider_id = found.provider_id FROM (
            SELECT entry.posting_id, (array_agg(account.organization_id))[1] AS provider_id
            FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE account.kind NOT IN ('tenant_receivable', 'prepaid_credit', 'tenant_balance', 'operator_fee')
            GROUP BY 1 HAVING count(DISTINCT account.organization_id) = 1
        ) found WHERE found.posting_id = posting.id
        """,
        "SET CONSTRAINTS ALL IMMEDIATE",
        "ALTER TABLE billing_ledgerposting ENABLE TRIGGER billing_ledgerposting_append_only",
    ],
    [],
)

NOTHING_BEHIND_A_CHECKPOINT = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_entry_after_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT 1 FROM billing_ledgercheckpoint WHERE to_entry >= NEW.id) THEN
                RAISE EXCEPTION 'entry % lies behind a checkpoint of the ledger', NEW.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_ledgerentry_after_checkpoint BEFORE INSERT ON billing_ledgerentry
            FOR EACH ROW EXECUTE FUNCTION forecourt_entry_after_checkpoint()
        """,
    ],
    [
        "DROP TRIGGER billing_ledgerentry_after_checkpoint ON billing_ledgerentry",
        "DROP FUNCTION forecourt_entry_after_checkpoint()",
    ],
)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0032_documents'),
        ('tenants', '0005_idempotent_calls_by_time'),
    ]

    operations = [
        migrations.CreateModel(
            name='CheckpointBalance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('debit', models.DecimalField(decimal_places=4, max_digits=38)),
                ('credit', models.DecimalField(decimal_places=4, help_text='without its sign', max_digits=38)),
                ('entries', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='LedgerCheckpoint',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('taken_at', models.DateTimeField()),
                ('to_entry', models.UUIDField(help_text='entries with this id or a smaller one are summed', unique=True)),
                ('latest_at', models.DateTimeField(help_text='the latest instant that a summed entry was posted for')),
            ],
        ),
        migrations.AddField(
            model_name='ledgerposting',
            name='provider',
            field=models.ForeignKey(help_text='in whose book it stands', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization'),
        ),
        migrations.AddIndex(
            model_name='ledgerposting',
            index=models.Index(fields=['provider', 'at'], name='postings_of_a_book'),
        ),
        migrations.AddIndex(
            model_name='ledgerposting',
            index=models.Index(fields=['cause', 'cause_id'], name='postings_of_a_cause'),
        ),
        migrations.AddField(
            model_name='checkpointbalance',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.ledgeraccount'),
        ),
        migrations.AddField(
            model_name='checkpointbalance',
            name='provider',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization'),
        ),
        migrations.AddField(
            model_name='checkpointbalance',
            name='checkpoint',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='balances', to='billing.ledgercheckpoint'),
        ),
        migrations.AddConstraint(
            model_name='checkpointbalance',
            constraint=models.UniqueConstraint(fields=('checkpoint', 'account', 'provider'), name='checkpoint_balance_once', nulls_distinct=False),
        ),
        POSTED_BEFORE,
        NOTHING_BEHIND_A_CHECKPOINT,
        append_only("billing_ledgercheckpoint"),
        append_only("billing_checkpointbalance"),
    ]
