"""Usage events as they are stored: a call's events packed in one row, and one narrow row a key."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from clusters.models import Deployment
from tenants.ids import new_id
from tenants.models import Organization


class EventCall(models.Model):
    """The events that one call brought and that were new, packed (`metering.event_pack`): evidence and store.

    Append-only, cut by month of `received_at` (`metering.partition_plans`). What its events refer to is read in the
    transaction that inserts it and kept alive by the usage hours they go into, whose references the database holds.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    received_at = models.DateTimeField()
    events = models.PositiveIntegerField()
    first_at = models.DateTimeField(help_text="when the first of its events occurred")
    last_at = models.DateTimeField(help_text="when the last of its events occurred")
    tenants = ArrayField(models.UUIDField())
    deployments = ArrayField(models.UUIDField())
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.events} events of {self.reporter_id}"


class EventKey(models.Model):
    """An event's name and content as digests (`metering.event_keys`): one row for as long as it must be known again.

    No time is in the key, so that an event is a duplicate whenever it is sent again. The row is inserted by the
    transaction that stores the event.
    """

    key = models.UUIDField(primary_key=True, editable=False)
    content = models.UUIDField()
    call = models.UUIDField(help_text="the call that brought it; its first bits are the time")

    def __str__(self) -> str:
        return str(self.key)


class WaitingEvents(models.Model):
    """A call whose events are not yet in usage hours: inserted with it, deleted by the transaction that counts them."""

    call = models.UUIDField(primary_key=True, editable=False)
    received_at = models.DateTimeField()
    events = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.events} events in {self.call}"


class ExplainingHour(models.Model):
    """What a gateway said in one hour that explains why engines count otherwise; nothing of it is billed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="explaining_hours", db_index=False)
    model = models.CharField(max_length=200)
    hour_at = models.DateTimeField(help_text="start of the UTC hour in which the events occurred")
    several_requests = models.BigIntegerField(help_text="requests whose prompt was given several answers")
    several_input = models.BigIntegerField(help_text="input tokens of these")
    repeated_input = models.BigIntegerField(help_text="input tokens times the answers after the first (n - 1)")
    further_answers = models.BigIntegerField(help_text="answers after the first")
    aborted_requests = models.BigIntegerField(help_text="requests whose caller left before the end")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "model", "hour_at"], name="explaining_hour_once")
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.model} {self.hour_at:%F %H}"


class EventConflict(models.Model):
    """The same event id with other content; quarantined, both are kept. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=200)
    content_sha256 = models.BinaryField(max_length=32)
    content = models.JSONField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reporter", "source", "event_id", "content_sha256"], name="event_conflict_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id} conflict"


class EventPartTotal(models.Model):
    """The sums of the events of one part of `EventCall` that is in the archive alone."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    partition = models.CharField(max_length=63)
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    events = models.BigIntegerField()
    sums = models.JSONField(help_text="tokens by class, as strings")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partition", "reporter", "source", "model"], name="event_part_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.partition} {self.source} {self.model}"


class EventKeyPass(models.Model):
    """How far the keys were searched for those that are too old; one row."""

    ONLY: ClassVar = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    before_at = models.DateTimeField(help_text="keys of events received before it are forgotten")
    next_block = models.BigIntegerField(null=True, help_text="where the pass goes on; null: it is through")

    def __str__(self) -> str:
        return f"before {self.before_at} from {self.next_block}"
