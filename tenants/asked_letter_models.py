"""Letters that somebody asked for before anybody knew who asks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.ids import new_id


class AskedLetter(models.Model):
    """A letter that somebody asked for at an address: whether anybody is there is looked up when it is sent.

    So the request that asks does the same for every address. The row goes when the letter went, or could not.
    """

    class Kind(models.TextChoices):
        """What the letter leads to."""

        PASSWORD = "password"  # noqa: S105  the name of a letter
        SIGN_ON = "sign_on"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    email = models.EmailField(help_text="as it was typed")
    language = models.CharField(max_length=8, help_text="of the page, where the person chose none")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at"], name="asked_letters_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.asked_at}"
