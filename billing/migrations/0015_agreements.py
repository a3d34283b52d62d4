"""Proposals of terms and who accepted them; the database holds that an offer changes no more."""

import django.db.models.deletion
import tenants.ids
from django.db import migrations, models
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only
from tenants.at_once import at_once

# What is offered stays as it was offered, states go forward only, and without both parties' words for the very hash
# nothing is accepted.
AS_OFFERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_amendment_as_offered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            moving text[] := ARRAY['state', 'decided_at', 'decided_by', 'version_id'];
            words integer;
        BEGIN
            IF TG_OP = 'DELETE' THEN
                RAISE EXCEPTION 'amendment %: DELETE refused', OLD.number USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.state <> 'draft' AND (to_jsonb(NEW) - moving) <> (to_jsonb(OLD) - moving) THEN
                RAISE EXCEPTION 'amendment % is offered and cannot change', OLD.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'draft' AND NEW.state IN ('offered', 'withdrawn'))
                OR (OLD.state = 'offered' AND NEW.state IN ('accepted', 'declined', 'withdrawn', 'expired'))
            ) THEN
                RAISE EXCEPTION 'amendment % cannot go from % to %', OLD.number, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state = 'accepted' AND OLD.state <> 'accepted' THEN
                SELECT count(*) INTO words FROM billing_acceptance a JOIN billing_contract c ON c.id = NEW.contract_id
                    WHERE a.amendment_id = NEW.id AND a.organization_id IN (c.provider_id, c.tenant_id);
                IF words <> 2 THEN
                    RAISE EXCEPTION 'amendment % has the word of % of its two parties', NEW.number, words
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NEW.sha256 <> (SELECT sha256 FROM billing_contractversion WHERE id = NEW.version_id) THEN
                    RAISE EXCEPTION 'amendment % became another version', NEW.number USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_amendment_as_offered BEFORE UPDATE OR DELETE ON billing_amendment
            FOR EACH ROW EXECUTE FUNCTION forecourt_amendment_as_offered()
        """,
        """
        CREATE FUNCTION forecourt_acceptance_of_offer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT 1 FROM billing_amendment m WHERE m.id = NEW.amendment_id AND m.state = 'offered'
                    AND m.sha256 = NEW.sha256
            ) THEN
                RAISE EXCEPTION 'this hash is not on offer' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_acceptance_of_offer BEFORE INSERT ON billing_acceptance
            FOR EACH ROW EXECUTE FUNCTION forecourt_acceptance_of_offer()
        """,
    ],
    [
        "DROP TRIGGER billing_acceptance_of_offer ON billing_acceptance",
        "DROP FUNCTION forecourt_acceptance_of_offer()",
        "DROP TRIGGER billing_amendment_as_offered ON billing_amendment",
        "DROP FUNCTION forecourt_amendment_as_offered()",
    ],
)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0014_leases_and_shares_gone'),
        ('tenants', '0003_sign_in_attempts'),
    ]

    operations = at_once([
        migrations.AddField(
            model_name='contract',
            name='drafted_by',
            field=models.ForeignKey(help_text='who sees it before it is offered', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization'),
        ),
        migrations.AlterField(
            model_name='contract',
            name='version',
            field=models.PositiveIntegerField(default=1, help_text='the latest; 0 before the first is agreed'),
        ),
        migrations.CreateModel(
            name='Amendment',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(help_text='1, 2, 3 … of the contract')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('offered', 'Offered'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired')], default='draft', max_length=10)),
                ('person', models.CharField(help_text="who wrote it, as they sign in, or the key's name", max_length=254)),
                ('changes', models.JSONField()),
                ('effective_at', models.DateTimeField(help_text='the first instant of which it says something new')),
                ('note', models.CharField(blank=True, default='', max_length=1000)),
                ('base_version', models.PositiveIntegerField(default=0, help_text="the contract's version that it was offered on")),
                ('document', models.TextField(blank=True, default='')),
                ('sha256', models.CharField(blank=True, default='', max_length=64)),
                ('created_at', models.DateTimeField()),
                ('offered_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.CharField(blank=True, default='', max_length=254)),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='amendments', to='billing.contract')),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
                ('version', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='amendment', to='billing.contractversion')),
            ],
        ),
        migrations.CreateModel(
            name='Acceptance',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('person', models.CharField(help_text="as they sign in, or the key's name", max_length=254)),
                ('name', models.CharField(help_text='as they wrote it to accept', max_length=200)),
                ('sha256', models.CharField(max_length=64)),
                ('accepted_at', models.DateTimeField()),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
                ('amendment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='billing.amendment')),
            ],
        ),
        migrations.AddIndex(
            model_name='amendment',
            index=models.Index(condition=models.Q(('state', 'offered')), fields=['expires_at'], name='amendment_expiring'),
        ),
        migrations.AddConstraint(
            model_name='amendment',
            constraint=models.UniqueConstraint(fields=('contract', 'number'), name='amendment_number_once'),
        ),
        migrations.AddConstraint(
            model_name='amendment',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['draft', 'offered'])), fields=('contract',), name='one_open_amendment'),
        ),
        migrations.AddConstraint(
            model_name='amendment',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'draft'), models.Q(('expires_at__isnull', False), ('offered_at__isnull', False)), _connector='OR'), name='offer_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='amendment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'accepted'), ('version__isnull', False)), models.Q(models.Q(('state', 'accepted'), _negated=True), ('version__isnull', True)), _connector='OR'), name='accepted_amendment_has_version'),
        ),
        migrations.AddConstraint(
            model_name='acceptance',
            constraint=models.UniqueConstraint(fields=('amendment', 'organization'), name='acceptance_once_per_party'),
        ),
        append_only("billing_acceptance"),
        AS_OFFERED,
    ])
