"""Migration operations that are done with one look at the models, in place of one after each of them.

After every operation Django builds the classes of all related models anew; in a schema whose tables are all related
that is most of the time of a migration. Here the classes of those models alone are built that an operation is about:
to make a column, an index or a constraint, of the other models no more is read than their tables' and keys' names.
What is done to the database, and in which order, stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterModelManagers,
    AlterModelOptions,
    CreateModel,
    RemoveConstraint,
    RemoveIndex,
    RunPython,
    RunSQL,
)
from django.db.migrations.operations.base import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState

TOGETHER: Final = (CreateModel, AddField, AddIndex, AddConstraint)
"""Operations that read of the models only what they add, and so may see them with what later ones add too."""
OPTIONS: Final = (AlterModelManagers, AlterModelOptions)
ALONE: Final = (*OPTIONS, RemoveConstraint, RemoveIndex)
"""Operations that read of the models only the one that they are about."""
ANY: Final = (RunSQL, RunPython)
"""Operations that read no model, and one that has all of them built anew for itself."""


class AtOnce(Operation):
    """Operations that all see the models as they are before the first and after the last of them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = list(operations)
        # As Django's own RunPython does; its types know the attribute of the class alone.
        self.reversible = all(operation.reversible for operation in self.operations)  # type: ignore[misc]

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change the models' description, and build the classes of those that it was changed of."""
        apps = state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)
        if apps is None:
            return  # they are built when they are asked for
        changed = {_model_of(operation) for operation in self.operations}
        with apps.bulk_update():
            for name in changed:
                apps.unregister_model(app_label, name)
        apps.render_multiple([state.models[app_label, name] for name in sorted(changed)])
        state.__dict__["apps"] = apps
        # What is related to them knows their earlier classes: Django's word for it, which its own RunPython heeds.
        state.is_delayed = True

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Do each."""
        for operation in self.operations:
            operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Undo each, the last one first."""
        for operation in reversed(self.operations):
            operation.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """Return what `migrate --plan` prints."""
        return "; ".join(operation.describe() for operation in self.operations)


class Anew(Operation):
    """Has the classes of all models built when they are next asked for; stands before what reads related models."""

    reduces_to_sql = False

    def state_forwards(self, app_label: str, state: ProjectState) -> None:  # noqa: ARG002 - the name is Django's
        """Forget the classes if they are not all of one making."""
        state.clear_delayed_apps_cache()
        state.is_delayed = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Do nothing."""

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Do nothing."""


def at_once(operations: Sequence[Operation]) -> list[Operation]:
    """Return `operations` with those put together that may be, in the order they have.

    A table that is made must not have what is added to it later: what adds to a model begins a new group where the
    model is made in the current one.
    """
    found: list[Operation] = []
    group: list[Any] = []
    made: set[str] = set()
    for operation in operations:
        together = isinstance(operation, TOGETHER)
        if group and (not together or getattr(operation, "model_name_lower", "") in made):
            found.append(AtOnce(group))
            group, made = [], set()
        if not together:
            found += _by_itself(operation)
            continue
        group.append(operation)
        if isinstance(operation, CreateModel):
            made.add(operation.name_lower)
    return [*found, AtOnce(group)] if group else found


def _by_itself(operation: Operation) -> list[Operation]:
    if isinstance(operation, (*ANY, AtOnce)):
        return [operation]
    # What other tables refer to is changed in them too.
    referred_to = isinstance(operation, AlterField) and (operation.field.primary_key or operation.field.unique)
    if isinstance(operation, (*ALONE, AlterField)) and not referred_to:
        return [AtOnce([operation])]
    return [Anew(), operation]


def _model_of(operation: Any) -> str:
    name: str = operation.name_lower if isinstance(operation, (CreateModel, *OPTIONS)) else operation.model_name_lower
    return name
