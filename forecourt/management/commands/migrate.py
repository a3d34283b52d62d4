"""`migrate`: Django's, after which the rows of every table are limited as declared."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from forecourt.rows.applying import RolesMissing, limit_rows


class Command(migrate.Command):
    """Stands in Django's place, so that no way to migrate leaves rows open."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; once the database is at the newest state, make it hold whose its rows are."""
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"] or options["prune"]:
            return
        executor = MigrationExecutor(connections[options["database"]])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        try:
            limit_rows()
        except RolesMissing as missing:
            raise CommandError(str(missing)) from missing
