"""The tables of clusters as they were when the first migrations were put together."""

from django.db import migrations, models
import clusters.models
import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.db.models.deletion
import tenants.ids

TABLES = [
    migrations.CreateModel(
        name='Accelerator',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('uuid', models.CharField(help_text="the vendor's, as NVML gives it", max_length=96, unique=True)),
            ('serial', models.CharField(blank=True, default='', max_length=64)),
            ('model', models.CharField(help_text="the vendor's product name", max_length=100)),
            ('memory_mib', models.PositiveIntegerField(null=True)),
            ('pci_bus_id', models.CharField(blank=True, default='', max_length=32)),
            ('position', models.PositiveSmallIntegerField(help_text='order on the node, from 0')),
            ('first_seen_at', models.DateTimeField()),
            ('last_seen_at', models.DateTimeField()),
            ('retired_at', models.DateTimeField(null=True)),
        ],
    ),
    migrations.CreateModel(
        name='Allocation',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('from_at', models.DateTimeField()),
            ('to_at', models.DateTimeField(null=True)),
            ('created_at', models.DateTimeField()),
        ],
    ),
    migrations.CreateModel(
        name='Binding',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('model', models.CharField(help_text='served model name', max_length=200)),
            ('from_at', models.DateTimeField()),
            ('to_at', models.DateTimeField(null=True)),
        ],
    ),
    migrations.CreateModel(
        name='Cluster',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('slug', models.SlugField(max_length=63)),
            ('name', models.CharField(max_length=200)),
            ('country', models.CharField(help_text='ISO 3166-1 alpha-2', max_length=2)),
            ('created_at', models.DateTimeField()),
        ],
    ),
    migrations.CreateModel(
        name='Deployment',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('slug', models.SlugField(max_length=63)),
            ('name', models.CharField(max_length=200)),
            ('from_at', models.DateTimeField()),
            ('to_at', models.DateTimeField(null=True)),
            ('created_at', models.DateTimeField()),
        ],
    ),
    migrations.CreateModel(
        name='Endpoint',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('url', models.CharField(max_length=512)),
            ('engine', models.CharField(max_length=64)),
            ('served_models', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), default=list, size=None)),
            ('first_seen_at', models.DateTimeField()),
            ('last_seen_at', models.DateTimeField()),
        ],
    ),
    migrations.CreateModel(
        name='EnrolmentToken',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('secret_sha256', models.BinaryField(max_length=32, unique=True)),
            ('created_at', models.DateTimeField()),
            ('expires_at', models.DateTimeField()),
            ('used_at', models.DateTimeField(null=True)),
        ],
    ),
    migrations.CreateModel(
        name='Node',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('name', models.CharField(max_length=200)),
            ('public_key', models.BinaryField(help_text='raw Ed25519, the one in force', max_length=32, null=True, unique=True)),
            ('key_version', models.PositiveIntegerField(db_default=1, default=1, help_text="which of the node's keys is in force")),
            ('agent_version', models.CharField(blank=True, default='', max_length=32)),
            ('driver_version', models.CharField(blank=True, default='', max_length=64)),
            ('enrolled_at', models.DateTimeField(null=True)),
            ('revoked_at', models.DateTimeField(null=True)),
            ('created_at', models.DateTimeField()),
        ],
    ),
    migrations.CreateModel(
        name='NodeKey',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('version', models.PositiveIntegerField(help_text='1 is the first key of the node')),
            ('public_key', models.BinaryField(help_text='raw Ed25519', max_length=32, unique=True)),
            ('origin', models.CharField(choices=[('enrolled', 'Enrolled'), ('enrolled_again', 'Enrolled Again'), ('rotated', 'Rotated')], max_length=16)),
            ('first_seq', models.BigIntegerField(help_text='first batch signed with it; null: none yet', null=True)),
            ('added_at', models.DateTimeField()),
            ('statement', models.BinaryField(default=b'', max_length=2048)),
            ('signature', models.CharField(blank=True, default='', max_length=88)),
        ],
    ),
    migrations.CreateModel(
        name='Slice',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('kind', models.CharField(choices=[('whole', 'Whole'), ('mig', 'Mig'), ('fraction', 'Fraction')], max_length=8)),
            ('label', models.CharField(blank=True, default='', help_text='MIG UUID or partition name', max_length=96)),
            ('profile', models.CharField(blank=True, default='', help_text='MIG profile, for example 1g.10gb', max_length=32)),
            ('share_permille', models.PositiveSmallIntegerField(help_text='1000 is the whole card')),
            ('created_at', models.DateTimeField()),
            ('retired_at', models.DateTimeField(null=True)),
        ],
    ),
    migrations.CreateModel(
        name='AcceleratorHealth',
        fields=[
            ('accelerator', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='health', serialize=False, to='clusters.accelerator')),
            ('seen_at', models.DateTimeField()),
            ('ecc_corrected', models.BigIntegerField(null=True)),
            ('ecc_uncorrected', models.BigIntegerField(null=True)),
            ('rows_remapped_corrected', models.BigIntegerField(null=True)),
            ('rows_remapped_uncorrected', models.BigIntegerField(null=True)),
            ('row_remap_pending', models.BooleanField(null=True)),
            ('row_remap_failed', models.BooleanField(null=True)),
            ('processes', models.JSONField(null=True)),
        ],
    ),
    migrations.AddField(
        model_name='allocation',
        name='tenant',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='tenants.organization'),
    ),
    migrations.AddField(
        model_name='cluster',
        name='provider',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='clusters', to='tenants.organization'),
    ),
    migrations.AddField(
        model_name='deployment',
        name='provider',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='provided_deployments', to='tenants.organization'),
    ),
    migrations.AddField(
        model_name='deployment',
        name='tenant',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='tenants.organization'),
    ),
    migrations.AddField(
        model_name='binding',
        name='deployment',
        field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bindings', to='clusters.deployment'),
    ),
    migrations.AddField(
        model_name='binding',
        name='endpoint',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bindings', to='clusters.endpoint'),
    ),
    migrations.AddField(
        model_name='enrolmenttoken',
        name='cluster',
        field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolment_tokens', to='clusters.cluster'),
    ),
    migrations.AddField(
        model_name='node',
        name='cluster',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='clusters.cluster'),
    ),
    migrations.AddField(
        model_name='enrolmenttoken',
        name='for_node',
        field=models.ForeignKey(help_text='the one node that this may give a new key', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='clusters.node'),
    ),
    migrations.AddField(
        model_name='enrolmenttoken',
        name='node',
        field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_tokens', to='clusters.node'),
    ),
    migrations.AddField(
        model_name='endpoint',
        name='node',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='endpoints', to='clusters.node'),
    ),
    migrations.AddField(
        model_name='accelerator',
        name='node',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accelerators', to='clusters.node'),
    ),
    migrations.AddField(
        model_name='nodekey',
        name='node',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='clusters.node'),
    ),
    migrations.AddField(
        model_name='slice',
        name='accelerator',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='slices', to='clusters.accelerator'),
    ),
    migrations.AddField(
        model_name='allocation',
        name='slice',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='clusters.slice'),
    ),
    migrations.AddConstraint(
        model_name='cluster',
        constraint=models.UniqueConstraint(fields=('provider', 'slug'), name='cluster_slug'),
    ),
    migrations.AddConstraint(
        model_name='deployment',
        constraint=models.UniqueConstraint(fields=('tenant', 'slug'), name='deployment_slug'),
    ),
    migrations.AddConstraint(
        model_name='deployment',
        constraint=models.CheckConstraint(condition=models.Q(('to_at__isnull', True), ('to_at__gt', models.F('from_at')), _connector='OR'), name='deployment_span'),
    ),
    migrations.AddConstraint(
        model_name='binding',
        constraint=models.CheckConstraint(condition=models.Q(('to_at__isnull', True), ('to_at__gt', models.F('from_at')), _connector='OR'), name='binding_span'),
    ),
    migrations.AddConstraint(
        model_name='binding',
        constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('endpoint', '='), ('model', '='), (clusters.models.HalfOpenRange('from_at', 'to_at', django.contrib.postgres.fields.ranges.RangeBoundary(inclusive_lower=True, inclusive_upper=False)), '&&')], name='one_model_one_deployment'),
    ),
    migrations.AddConstraint(
        model_name='node',
        constraint=models.UniqueConstraint(fields=('cluster', 'name'), name='node_name'),
    ),
    migrations.AddConstraint(
        model_name='endpoint',
        constraint=models.UniqueConstraint(fields=('node', 'url'), name='endpoint_url'),
    ),
    migrations.AddConstraint(
        model_name='nodekey',
        constraint=models.UniqueConstraint(fields=('node', 'version'), name='node_key_version'),
    ),
    migrations.AddConstraint(
        model_name='slice',
        constraint=models.UniqueConstraint(fields=('accelerator', 'kind', 'label'), name='slice_label'),
    ),
    migrations.AddConstraint(
        model_name='slice',
        constraint=models.CheckConstraint(condition=models.Q(('share_permille__gte', 1), ('share_permille__lte', 1000)), name='share_within_card'),
    ),
    migrations.AddConstraint(
        model_name='slice',
        constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'whole'), _negated=True), ('share_permille', 1000), _connector='OR'), name='whole_slice_is_whole'),
    ),
    migrations.AddIndex(
        model_name='allocation',
        index=models.Index(fields=['tenant', 'from_at'], name='allocation_by_tenant'),
    ),
    migrations.AddIndex(
        model_name='allocation',
        index=django.contrib.postgres.indexes.GistIndex(clusters.models.HalfOpenRange('from_at', 'to_at', django.contrib.postgres.fields.ranges.RangeBoundary(inclusive_lower=True, inclusive_upper=False)), name='allocation_by_span'),
    ),
    migrations.AddConstraint(
        model_name='allocation',
        constraint=models.CheckConstraint(condition=models.Q(('to_at__isnull', True), ('to_at__gt', models.F('from_at')), _connector='OR'), name='allocation_span'),
    ),
    migrations.AddConstraint(
        model_name='allocation',
        constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('slice', '='), (clusters.models.HalfOpenRange('from_at', 'to_at', django.contrib.postgres.fields.ranges.RangeBoundary(inclusive_lower=True, inclusive_upper=False)), '&&')], name='one_slice_one_holder'),
    ),
]
