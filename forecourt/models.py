"""What the composition root keeps for itself: when each sweep last ran, and how it went."""

from __future__ import annotations

from django.db import models


class SweepRun(models.Model):
    """The latest run of one sweep, and how many there were. Written by the worker after each run; derived."""

    name = models.CharField(primary_key=True, max_length=100)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    took_ms = models.PositiveBigIntegerField()
    runs = models.PositiveBigIntegerField(default=1)
    failures = models.PositiveBigIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, help_text="when it last ended with an error")
    last_error = models.CharField(max_length=300, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.name} {self.ended_at:%F %T}"
