"""The Celery application and the whole beat table.

A task is only a hint to look: each sweeps rows in the database, claims what it finds, and does nothing the second
time. A task lost with its worker or broker costs one interval.
"""

import os
from typing import Any, Final

from celery import Celery
from celery.loaders.app import AppLoader

from forecourt.env import read_environment
from forecourt.loading import loading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "forecourt.settings")
# Django's checks load every page and form, none of which a worker serves; the tests make them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# A task whose worker was killed comes back from Redis or Valkey after this long; the sweeps do not wait for it.
VISIBILITY_TIMEOUT_S = 120

BROKER_URL = read_environment(os.environ).broker_url

SWEEPS = {
    "metering.tasks.rollup_batches": 2.0,
    "metering.tasks.rollup_events": 2.0,
    "metering.tasks.restate_usage": 60.0,
    "metering.tasks.validate_usage": 60.0,
    "metering.tasks.watch_nodes": 30.0,
    "metering.tasks.tell_metering": 60.0,
    "metering.tasks.expect_node_hours": 300.0,
    "metering.tasks.check_figures": 300.0,
    "metering.tasks.keep_partitions": 600.0,
    "metering.tasks.forget_event_keys": 600.0,
    "metering.tasks.sum_usage_days": 60.0,
    "metering.tasks.sum_clusters": 60.0,
    "metering.compat.tasks.retire_collectors": 60.0,
    "tenants.tasks.deliver_webhooks": 3.0,
    "tenants.tasks.send_invitations": 5.0,
    "tenants.tasks.send_asked_letters": 2.0,
    "billing.tasks.charge_usage": 10.0,
    "billing.tasks.close_periods": 15.0,
    "billing.tasks.bill_late_usage": 900.0,
    "billing.tasks.look_for_late_usage": 86_400.0,
    "billing.collective.tasks.gather_invoices": 30.0,
    "billing.tasks.make_statements": 300.0,
    "billing.tasks.make_payouts": 300.0,
    "billing.tasks.send_transfers": 10.0,
    "billing.tasks.record_lease_steps": 10.0,
    "billing.tasks.expire_offers": 60.0,
    "billing.agreements.tasks.send_letters": 15.0,
    "billing.tasks.forget_calls": 600.0,
    "billing.tasks.state_needs": 600.0,
    "billing.tasks.sum_books": 21_600.0,
    "billing.tasks.tell_overdue": 60.0,
    "billing.tasks.tell_ending_leases": 300.0,
    "billing.lease_ends.tasks.note_ending": 300.0,
    "billing.lease_ends.tasks.send_letters": 15.0,
    "billing.tasks.sum_margins": 60.0,
    "billing.tasks.make_documents": 5.0,
    "billing.tasks.ask_taxes": 5.0,
    "billing.tasks.settle_invoices": 5.0,
    "billing.corrections.tasks.apply_balances": 60.0,
    "billing.corrections.tasks.send_refunds": 15.0,
    "billing.tasks.apply_stripe_events": 3.0,
    "billing.tasks.look_at_card_visits": 30.0,
    "billing.tasks.look_at_top_ups": 30.0,
    "billing.refilling.tasks.watch_balances": 20.0,
    "billing.refilling.tasks.charge_top_ups": 15.0,
    "billing.refilling.tasks.send_letters": 15.0,
    "billing.tasks.tell_collections": 30.0,
    "billing.tasks.reconcile_stripe": 600.0,
    "billing.tasks.tell_price_changes": 30.0,
    "billing.tasks.match_bank_lines": 10.0,
    "billing.tasks.dun_invoices": 60.0,
    "billing.budgets.tasks.look_at_spending": 20.0,
    "billing.budgets.tasks.send_letters": 15.0,
}

CONFIGURATION: Final[dict[str, Any]] = {
    "broker_url": BROKER_URL,
    "broker_transport_options": ({} if BROKER_URL.startswith("amqp") else {"visibility_timeout": VISIBILITY_TIMEOUT_S}),
    "task_default_queue_type": "quorum" if BROKER_URL.startswith("amqp") else "classic",
    "worker_detect_quorum_queues": True,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_default_queue": "forecourt",
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "timezone": "UTC",
    "enable_utc": True,
    "beat_schedule": {
        # A sweep that waited longer than its interval is dropped: the next one sees the same rows.
        name: {"task": name, "schedule": every_s, "options": {"expires": max(every_s, 5.0)}}
        for name, every_s in SWEEPS.items()
    },
}


class QuietLoader(AppLoader):
    """Looks for no garbage while the apps and their tasks are loaded; children are forked after that."""

    def import_default_modules(self) -> Any:
        """Set Django up and import every task."""
        with loading():
            return super().import_default_modules()


# Named, not imported: Celery wants the loader so, and the task needs tables, which are not there yet.
app = Celery("forecourt", loader="forecourt.celery:QuietLoader", task_cls="forecourt.recorded_task:RecordedTask")
app.config_from_object(CONFIGURATION)
app.autodiscover_tasks(
    [
        "tenants",
        "metering",
        "metering.compat",
        "billing",
        "billing.agreements",
        "billing.budgets",
        "billing.collective",
        "billing.corrections",
        "billing.lease_ends",
        "billing.refilling",
    ],
)
