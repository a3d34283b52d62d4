"""Webhooks out: endpoints, events in an outbox, their deliveries and tries."""

import django.contrib.postgres.fields
import django.db.models.deletion
import tenants.ids
from django.db import migrations, models

from tenants.guards import append_only


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_billing_profiles'),
    ]

    operations = [
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
        append_only("tenants_webhookevent"),
        append_only("tenants_webhookattempt"),
    ]
