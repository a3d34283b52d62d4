"""Terms of any kind, their wordings and the versions of contracts; what periods hand on; uncut periods."""

import clusters.models
import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import tenants.ids
from django.db import migrations, models

from tenants.at_once import at_once


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0011_price_guards'),
        ('clusters', '0005_cards'),
    ]

    operations = at_once([
        migrations.AddField(
            model_name='billingperiod',
            name='whole_seconds',
            field=models.PositiveIntegerField(help_text='length of the period uncut, for amounts per period; null: nothing was cut off', null=True),
        ),
        migrations.AlterField(
            model_name='charge',
            name='term_kind',
            field=models.CharField(help_text='kind of term: lease, token_share and so on', max_length=16),
        ),
        migrations.CreateModel(
            name='ContractVersion',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('effective_at', models.DateTimeField()),
                ('document', models.TextField(help_text='canonical JSON, exactly the bytes that were hashed')),
                ('sha256', models.CharField(max_length=64)),
                ('previous_sha256', models.CharField(blank=True, default='', help_text='of the version before', max_length=64)),
                ('created_at', models.DateTimeField()),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='billing.contract')),
            ],
        ),
        migrations.CreateModel(
            name='PeriodCarry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('term_ref', models.CharField(help_text="the contract's number where it is of the contract as a whole", max_length=32)),
                ('name', models.CharField(max_length=300)),
                ('value', models.DecimalField(decimal_places=18, max_digits=50)),
                ('period', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='carries', to='billing.billingperiod')),
            ],
        ),
        migrations.CreateModel(
            name='Term',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=16)),
                ('ref', models.CharField(help_text='for people, for example L-2041', max_length=32, unique=True)),
                ('title', models.CharField(max_length=200)),
                ('from_at', models.DateTimeField()),
                ('to_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='billing.contract')),
            ],
        ),
        migrations.CreateModel(
            name='TermAllocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('allocation', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='term_allocation', to='clusters.allocation')),
                ('term', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='billing.term')),
            ],
        ),
        migrations.CreateModel(
            name='TermDeployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_at', models.DateTimeField()),
                ('to_at', models.DateTimeField(null=True)),
                ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='clusters.deployment')),
                ('term', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='billing.term')),
            ],
        ),
        migrations.CreateModel(
            name='TermFact',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('document', models.JSONField()),
                ('recorded_by', models.CharField(max_length=200)),
                ('recorded_at', models.DateTimeField()),
                ('term', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='facts', to='billing.term')),
            ],
        ),
        migrations.CreateModel(
            name='TermWording',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('contract_version', models.PositiveIntegerField(help_text="the version's number")),
                ('from_at', models.DateTimeField()),
                ('document', models.JSONField(null=True)),
                ('term', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='wordings', to='billing.term')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='wordings', to='billing.contractversion')),
            ],
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.UniqueConstraint(fields=('contract', 'number'), name='contract_version_once'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.CheckConstraint(condition=models.Q(('number__gt', 0)), name='contract_version_from_one'),
        ),
        migrations.AddConstraint(
            model_name='periodcarry',
            constraint=models.UniqueConstraint(fields=('period', 'term_ref', 'name'), name='period_carry_once'),
        ),
        migrations.AddIndex(
            model_name='term',
            index=models.Index(fields=['contract', 'kind'], name='term_by_kind'),
        ),
        migrations.AddConstraint(
            model_name='term',
            constraint=models.CheckConstraint(condition=models.Q(('to_at__isnull', True), ('to_at__gte', models.F('from_at')), _connector='OR'), name='term_span'),
        ),
        migrations.AddConstraint(
            model_name='termdeployment',
            constraint=models.CheckConstraint(condition=models.Q(('to_at__isnull', True), ('to_at__gte', models.F('from_at')), _connector='OR'), name='term_deployment_span'),
        ),
        migrations.AddConstraint(
            model_name='termdeployment',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('deployment', '='), (clusters.models.HalfOpenRange('from_at', 'to_at', django.contrib.postgres.fields.ranges.RangeBoundary(inclusive_lower=True, inclusive_upper=False)), '&&')], name='deployment_under_one_term'),
        ),
        migrations.AddIndex(
            model_name='termfact',
            index=models.Index(fields=['term', 'at'], name='term_fact_by_time'),
        ),
        migrations.AddConstraint(
            model_name='termwording',
            constraint=models.UniqueConstraint(fields=('term', 'contract_version', 'from_at'), name='term_wording_once'),
        ),
    ])
