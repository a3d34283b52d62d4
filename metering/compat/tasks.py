"""Sweeps over what came in by other people's formats."""

from celery import shared_task
from django.utils import timezone

from metering.compat import collectors


@shared_task(name="metering.compat.tasks.retire_collectors")
def retire_collectors(**_: object) -> int:
    """End the collectors whose API keys are over; return how many."""
    return collectors.retire_collectors(now=timezone.now())
