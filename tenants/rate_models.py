"""How many calls of the API each caller made in the running minute."""

from __future__ import annotations

from django.db import models


class RateWindow(models.Model):
    """The last window of a caller, and how much of it was taken. The table is unlogged: a crash begins a new window."""

    caller = models.CharField(primary_key=True, max_length=60, help_text="`key` and its id, or `address` and it")
    window_at = models.DateTimeField()
    taken = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.caller} {self.window_at:%F %T}"
