"""Keeping big tables small: parts are made ahead, written to the archive when they are old, and dropped after that.

1. A part that is old enough is copied into a file, which is read back and compared.
2. A month later the file is read once more, from beginning to end. Only if it is whole, holds as many rows as the part,
   nobody needs the part (each holder has said so lately) and no row of it waits to be worked on, the part is dropped.
3. A dropped part can be restored from its file.
Each step is one transaction and harmless when repeated; a worker that dies leaves a file without manifest, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import OperationalError, connection, transaction

from metering.archive_files import (
    FORMAT,
    ArchiveDamaged,
    Manifest,
    check_file,
    read_text,
    write_manifest,
    write_text,
)
from metering.event_retention import forget_totals, keep_totals
from metering.partition_plans import EVENT_CALLS, PLANS
from metering.partition_tables import Part, drop_part, make_parts, part_for_restoring, parts_of, rows_within
from metering.partitions import Span
from metering.retention_models import PartitionArchive, RetentionHold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from metering.partitions import PartitionPlan

HOLD_STANDS: Final = timedelta(days=2)
"""A holder that has not spoken for this long needs everything."""
NEED_MARGIN: Final = timedelta(days=1)
RESTORED_FOR: Final = timedelta(days=30)


class CannotRestore(Exception):
    """An archive that cannot be put back; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round did to a table; `blocked` says of each part that is old enough why it stays."""

    made: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()


def state_hold(*, name: str, needed_from_at: datetime | None, now: datetime) -> None:
    """Say what `name` still needs: facts of `needed_from_at` and later, or none. Holds until it is said anew."""
    RetentionHold.objects.update_or_create(name=name, defaults={"needed_from_at": needed_from_at, "stated_at": now})


def keep_table(*, plan: PartitionPlan, directory: Path, now: datetime) -> Kept:
    """Make, archive and drop the parts of one table that it is time for."""
    with transaction.atomic():
        made = make_parts(plan=plan, now=now)
    archived, dropped, blocked = [], [], []
    for part in parts_of(plan):
        span = part.span
        if span is None or not span.sealed(now) or now < plan.archives_from(span):
            continue
        if _archive_of(part) is None and _archive(plan, part, directory, now):
            archived.append(part.name)
        if now < plan.keeps_until(span):
            continue
        reason = why_kept(plan=plan, part=part, now=now) or _drop(plan, part, directory, now)
        if reason:
            blocked.append((part.name, reason))
        else:
            dropped.append(part.name)
    return Kept(tuple(made), tuple(archived), tuple(dropped), tuple(blocked))


def why_kept(*, plan: PartitionPlan, part: Part, now: datetime) -> str:
    """Return why a part that is old enough must stay; "" if nothing speaks against dropping it."""
    assert part.span is not None
    assert part.span.to_at is not None
    holds = {hold.name: hold for hold in RetentionHold.objects.all()}
    for name in sorted({*plan.holders, *holds}):
        hold = holds.get(name)
        if hold is None or hold.stated_at < now - HOLD_STANDS:
            return f"{name} has not said lately what it needs"
        if hold.needed_from_at is not None and part.span.to_at + NEED_MARGIN > hold.needed_from_at:
            return f"{name} needs everything since {hold.needed_from_at.isoformat()}"
    archive = _archive_of(part)
    if archive is None:
        return "it is not archived"
    if archive.keep_until is not None and archive.keep_until > now:
        return f"it was restored and stays until {archive.keep_until.isoformat()}"
    if plan.still_needed and _fetch(plan.still_needed.format(part=rows_within(plan, part.span)))[0][0]:
        return "some of its rows are not worked on yet"
    return ""


def restore_archive(*, path: Path, now: datetime) -> int:
    """Put the rows of an archive back as a part of their table, for RESTORED_FOR; return how many.

    Raises ArchiveDamaged, CannotRestore.
    """
    manifest = check_file(path)
    plan = next((one for one in PLANS if one.table == manifest.table), None)
    if plan is None:
        raise CannotRestore(f"{manifest.table} is no table that is archived.")
    archive = PartitionArchive.objects.filter(file=_stored_name(plan, path), file_sha256=manifest.file_sha256).first()
    if archive is None or archive.dropped_at is None:
        raise CannotRestore(f"{path.name} is not the archive of a part that was dropped here.")
    with transaction.atomic():
        with part_for_restoring(plan=plan, name=archive.partition, span=Span(archive.from_at, archive.to_at)):
            _copy_in(archive.partition, manifest, path)
        if plan is EVENT_CALLS:
            forget_totals(archive.partition)
        PartitionArchive.objects.filter(id=archive.id).update(dropped_at=None, keep_until=now + RESTORED_FOR)
    return manifest.rows


def _archive_of(part: Part) -> PartitionArchive | None:
    """The newest archive of a part whose rows are still here."""
    return PartitionArchive.objects.filter(partition=part.name, dropped_at=None).order_by("-archived_at").first()


def _stored_name(plan: PartitionPlan, path: Path) -> str:
    return f"{plan.table}/{path.name}"


def _archive(plan: PartitionPlan, part: Part, directory: Path, now: datetime) -> bool:
    """Write a part into a new file; False if another worker is at it."""
    assert part.span is not None
    assert part.span.to_at is not None
    with transaction.atomic():
        if not _fetch("SELECT pg_try_advisory_xact_lock(hashtext(%s))", f"archive {part.name}")[0][0]:
            return False
        if _archive_of(part) is not None:
            return False
        path = directory / plan.table / f"{part.name}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.copy.zst"
        columns = _columns(part)
        found = write_text(path, _copy_out(plan, part, columns))
        manifest = Manifest(
            format=FORMAT,
            table=plan.table,
            partition=part.name,
            from_at=part.span.from_at.isoformat() if part.span.from_at else None,
            to_at=part.span.to_at.isoformat(),
            columns=columns,
            rows=found.rows,
            file=path.name,
            file_bytes=found.file_bytes,
            file_sha256=found.file_sha256,
            text_bytes=found.text_bytes,
            text_sha256=found.text_sha256,
            written_at=now.isoformat(),
            keys=[(str(name), str(text)) for name, text in _fetch(plan.keys)] if plan.keys else [],
        )
        write_manifest(path, manifest)
        PartitionArchive.objects.create(
            table_name=plan.table,
            partition=part.name,
            from_at=part.span.from_at,
            to_at=part.span.to_at,
            rows=found.rows,
            file=_stored_name(plan, path),
            file_bytes=found.file_bytes,
            file_sha256=found.file_sha256,
            archived_at=now,
        )
    return True


def _drop(plan: PartitionPlan, part: Part, directory: Path, now: datetime) -> str:
    """Drop a part that is in the archive; return why not, or ""."""
    archive = _archive_of(part)
    assert archive is not None
    try:
        manifest = check_file(directory / archive.file)
    except ArchiveDamaged as damaged:
        return f"its archive is damaged: {damaged}"
    if manifest.file_sha256 != archive.file_sha256:
        return f"its archive {archive.file} is another file than the one that was written"
    try:
        with transaction.atomic():
            return _drop_archived(plan, part, archive, now)
    except OperationalError as busy:
        return f"it is in use: {busy}"


def _drop_archived(plan: PartitionPlan, part: Part, archive: PartitionArchive, now: datetime) -> str:
    _fetch(f"LOCK TABLE {part.name} IN SHARE MODE NOWAIT")
    ((rows,),) = _fetch(f"SELECT count(*) FROM {part.name}")  # noqa: S608  a part's name from the catalog
    if rows != archive.rows:
        # Its archive is no longer all of it; the next round writes another one.
        PartitionArchive.objects.filter(id=archive.id).delete()
        return f"it has {rows} rows and its archive {archive.rows}"
    if plan is EVENT_CALLS:
        keep_totals(part.name)
    drop_part(plan=plan, part=part)
    PartitionArchive.objects.filter(id=archive.id).update(dropped_at=now)
    return ""


def _columns(part: Part) -> list[str]:
    query = """SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum"""
    return [str(name) for (name,) in _fetch(query, part.name)]


def _copy_out(plan: PartitionPlan, part: Part, columns: list[str]) -> Iterator[memoryview | bytes]:
    select = f"SELECT {', '.join(columns)} FROM {part.name} ORDER BY {', '.join(plan.order_by)}"  # noqa: S608  the catalog's names
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY ({select}) TO STDOUT") as copy:
        yield from copy


def _copy_in(name: str, manifest: Manifest, path: Path) -> None:
    statement = f"COPY {name} ({', '.join(manifest.columns)}) FROM STDIN"
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in read_text(path):
            copy.write(chunk)


def _fetch(query: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []
