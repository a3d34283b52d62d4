"""What left the database for the archive, and who still needs what."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.ids import new_id


class PartitionArchive(models.Model):
    """A part of a big table as a file: written, read back and compared before its rows may be dropped."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    table_name = models.CharField(max_length=63)
    partition = models.CharField(max_length=63)
    from_at = models.DateTimeField(null=True)
    to_at = models.DateTimeField()
    rows = models.BigIntegerField()
    file = models.CharField(max_length=200, unique=True, help_text="below FORECOURT_ARCHIVE_DIR")
    file_bytes = models.BigIntegerField()
    file_sha256 = models.CharField(max_length=64)
    archived_at = models.DateTimeField()
    dropped_at = models.DateTimeField(null=True, help_text="the rows are in the file alone since")
    keep_until = models.DateTimeField(null=True, help_text="restored: the rows stay until then")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["table_name", "partition"], name="archive_by_partition")]

    def __str__(self) -> str:
        return self.file


class RetentionHold(models.Model):
    """What one user of metered facts still needs, as it last said; without a fresh word nothing is dropped."""

    name = models.CharField(primary_key=True, max_length=48)
    needed_from_at = models.DateTimeField(null=True, help_text="facts of before are not needed; null: none is")
    stated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} from {self.needed_from_at}"
