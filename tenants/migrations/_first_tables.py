"""The tables of tenants as they were when the first migrations were put together."""

from django.conf import settings
from django.db import migrations, models
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
import tenants.ids

TABLES = [
    migrations.CreateModel(
        name='WebhookDelivery',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('state', models.CharField(choices=[('waiting', 'Waiting'), ('delivered', 'Delivered'), ('given_up', 'Given Up')], default='waiting', max_length=12)),
            ('attempts', models.PositiveSmallIntegerField(default=0, help_text='since it was written or replayed')),
            ('due_at', models.DateTimeField(help_text='while it waits: not tried before')),
            ('delivered_at', models.DateTimeField(null=True)),
        ],
    ),
    migrations.CreateModel(
        name='User',
        fields=[
            ('password', models.CharField(max_length=128, verbose_name='password')),
            ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
            ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('email', models.EmailField(max_length=254, unique=True)),
            ('name', models.CharField(max_length=200)),
            ('is_staff', models.BooleanField(default=False, help_text="may enter the operator's back office")),
            ('is_active', models.BooleanField(default=True)),
            ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
            ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
        ],
    ),
    migrations.CreateModel(
        name='Organization',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('slug', models.SlugField(max_length=63, unique=True)),
            ('name', models.CharField(max_length=200)),
            ('is_operator', models.BooleanField(default=False)),
            ('is_provider', models.BooleanField(default=False)),
            ('is_tenant', models.BooleanField(default=False)),
            ('country', models.CharField(help_text='ISO 3166-1 alpha-2', max_length=2)),
            ('billing_email', models.EmailField(max_length=254)),
            ('created_at', models.DateTimeField()),
        ],
        options={
            'constraints': [models.UniqueConstraint(models.F('is_operator'), condition=models.Q(('is_operator', True)), name='one_operator')],
        },
    ),
    migrations.CreateModel(
        name='Membership',
        fields=[
            ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('billing', 'Billing'), ('developer', 'Developer'), ('viewer', 'Viewer')], max_length=16)),
            ('created_at', models.DateTimeField()),
            ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='Logo',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('media_type', models.CharField(help_text='image/png or image/jpeg', max_length=16)),
            ('content', models.BinaryField()),
            ('sha256', models.CharField(max_length=64)),
            ('created_at', models.DateTimeField()),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='logos', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='IdempotentCall',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('key', models.CharField(max_length=200)),
            ('sha256', models.CharField(help_text='of the address and the body', max_length=64)),
            ('status', models.PositiveSmallIntegerField(null=True)),
            ('answer', models.JSONField(null=True)),
            ('at', models.DateTimeField()),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='BillingProfile',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('version', models.PositiveIntegerField()),
            ('legal_name', models.CharField(max_length=200)),
            ('address_lines', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), default=list, size=3)),
            ('city', models.CharField(blank=True, max_length=100)),
            ('postcode', models.CharField(blank=True, max_length=20)),
            ('region', models.CharField(blank=True, help_text='state or province', max_length=100)),
            ('country', models.CharField(help_text='ISO 3166-1 alpha-2', max_length=2)),
            ('vat_id', models.CharField(blank=True, help_text="with its country's prefix, without blanks", max_length=20)),
            ('tax_number', models.CharField(blank=True, help_text='a tax number that is no VAT id', max_length=40)),
            ('registration', models.CharField(blank=True, help_text='where and how the company is registered', max_length=100)),
            ('email', models.EmailField(help_text='where bills go', max_length=254)),
            ('bank_name', models.CharField(blank=True, max_length=100)),
            ('iban', models.CharField(blank=True, help_text='without blanks', max_length=34)),
            ('bic', models.CharField(blank=True, max_length=11)),
            ('bank_account', models.CharField(blank=True, help_text='of a bank that has no IBAN', max_length=200)),
            ('payment_terms', models.CharField(blank=True, max_length=500)),
            ('notes', models.CharField(blank=True, max_length=1000)),
            ('language', models.CharField(choices=[('en', 'English'), ('zh-hans', '简体中文')], default='en', max_length=8)),
            ('created_at', models.DateTimeField()),
            ('created_by', models.CharField(max_length=200)),
            ('logo', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.logo')),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='billing_profiles', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='AuditEntry',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('actor', models.CharField(help_text='user e-mail, API key prefix, node, or job name', max_length=200)),
            ('action', models.CharField(max_length=64)),
            ('subject', models.CharField(max_length=200)),
            ('before', models.JSONField(null=True)),
            ('after', models.JSONField(null=True)),
            ('at', models.DateTimeField()),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='ApiKey',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('name', models.CharField(max_length=100)),
            ('prefix', models.CharField(help_text='the first characters of the key, to recognise it by', max_length=12)),
            ('secret_sha256', models.BinaryField(max_length=32, unique=True)),
            ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), size=None)),
            ('created_at', models.DateTimeField()),
            ('expires_at', models.DateTimeField(blank=True, null=True)),
            ('revoked_at', models.DateTimeField(blank=True, null=True)),
            ('last_used_at', models.DateTimeField(blank=True, null=True)),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to='tenants.organization')),
        ],
    ),
    migrations.CreateModel(
        name='SignInAttempt',
        fields=[
            ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ('address', models.CharField(blank=True, help_text='IP address, or IPv6 network, it came from', max_length=39)),
            ('email_sha256', models.BinaryField(max_length=32)),
            ('at', models.DateTimeField()),
        ],
        options={
            'indexes': [models.Index(fields=['address'], name='attempts_by_address'), models.Index(fields=['email_sha256'], name='attempts_by_email'), models.Index(fields=['at'], name='attempts_by_time')],
        },
    ),
    migrations.CreateModel(
        name='WebhookAttempt',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('at', models.DateTimeField()),
            ('status', models.PositiveSmallIntegerField(help_text='HTTP status; null where there was no answer', null=True)),
            ('error', models.CharField(blank=True, max_length=300)),
            ('duration_ms', models.PositiveIntegerField()),
            ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tries', to='tenants.webhookdelivery')),
        ],
    ),
    migrations.CreateModel(
        name='WebhookEndpoint',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('url', models.CharField(max_length=500)),
            ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), help_text='kinds, or families as invoice.*; none: all', size=None)),
            ('secret', models.CharField(max_length=100)),
            ('old_secret', models.CharField(blank=True, max_length=100)),
            ('old_secret_until', models.DateTimeField(help_text='until then both secrets sign', null=True)),
            ('created_at', models.DateTimeField()),
            ('disabled_at', models.DateTimeField(help_text='nothing is sent there from then on', null=True)),
            ('disabled_because', models.CharField(blank=True, max_length=200)),
            ('removed_at', models.DateTimeField(null=True)),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhook_endpoints', to='tenants.organization')),
        ],
    ),
    migrations.AddField(
        model_name='webhookdelivery',
        name='endpoint',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='tenants.webhookendpoint'),
    ),
    migrations.CreateModel(
        name='WebhookEvent',
        fields=[
            ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
            ('kind', models.CharField(max_length=64)),
            ('subject_id', models.UUIDField(help_text='what it happened to')),
            ('occasion', models.CharField(blank=True, help_text='tells apart what can happen twice', max_length=100)),
            ('body', models.JSONField()),
            ('at', models.DateTimeField()),
            ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
        ],
    ),
    migrations.AddField(
        model_name='webhookdelivery',
        name='event',
        field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='tenants.webhookevent'),
    ),
    migrations.AddConstraint(
        model_name='user',
        constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='email_in_any_case'),
    ),
    migrations.AddConstraint(
        model_name='membership',
        constraint=models.UniqueConstraint(fields=('organization', 'user'), name='one_role_per_member'),
    ),
    migrations.AddConstraint(
        model_name='logo',
        constraint=models.UniqueConstraint(fields=('organization', 'sha256'), name='logo_once'),
    ),
    migrations.AddIndex(
        model_name='idempotentcall',
        index=models.Index(fields=['at'], name='idempotent_call_by_time'),
    ),
    migrations.AddConstraint(
        model_name='idempotentcall',
        constraint=models.UniqueConstraint(fields=('organization', 'key'), name='idempotency_key_once'),
    ),
    migrations.AddConstraint(
        model_name='billingprofile',
        constraint=models.UniqueConstraint(fields=('organization', 'version'), name='profile_version_once'),
    ),
    migrations.AddIndex(
        model_name='auditentry',
        index=models.Index(fields=['organization', '-at'], name='audit_by_organization'),
    ),
    migrations.AddIndex(
        model_name='webhookendpoint',
        index=models.Index(condition=models.Q(('removed_at', None)), fields=['organization'], name='webhook_endpoints_kept'),
    ),
    migrations.AddConstraint(
        model_name='webhookevent',
        constraint=models.UniqueConstraint(fields=('organization', 'kind', 'subject_id', 'occasion'), name='webhook_event_once'),
    ),
    migrations.AddIndex(
        model_name='webhookdelivery',
        index=models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='webhook_deliveries_due'),
    ),
    migrations.AddConstraint(
        model_name='webhookdelivery',
        constraint=models.UniqueConstraint(fields=('endpoint', 'event'), name='webhook_delivery_once'),
    ),
]
