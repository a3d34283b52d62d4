"""`migrate`: Django's, after which the rows of every table are limited as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from forecourt.rows.applying import RolesMissing, limit_rows
from tenants.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.migrations import Migration
    from django.db.migrations.state import ProjectState


class LeanExecutor(MigrationExecutor):
    """Applies every migration, also those of other packages, with few looks at the models."""

    def migration_plan(
        self, targets: Sequence[tuple[str, str | None]] | set[tuple[str, str]], clean_start: bool = False
    ) -> list[tuple[Migration, bool]]:
        """Plan as Django does; those first that build on the fewest, while there are few models to look at."""
        if len(targets) > 1:
            targets = sorted(targets, key=lambda target: len(self.loader.graph.forwards_plan(target)))
        return super().migration_plan(targets, clean_start)

    def apply_migration(
        self, state: ProjectState, migration: Migration, fake: bool = False, fake_initial: bool = False
    ) -> ProjectState:
        """Apply it; one that perhaps was applied by other means is compared as it was written."""
        if not (fake or fake_initial):
            migration.operations = at_once(migration.operations)  # type: ignore[misc]  # each instance has its own
        return super().apply_migration(state, migration, fake, fake_initial)


# Django's command makes its executor by this name.
vars(migrate)["MigrationExecutor"] = LeanExecutor


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
