"""Migration operations that are done with one look at the models, in place of one after each of them.

After every operation Django builds the classes of all related models anew; in a schema whose tables are all related
that is two thirds of the time of a migration. What is done to the database, and in which order, stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.migrations.operations import AddConstraint, AddField, AddIndex, CreateModel
from django.db.migrations.operations.base import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState

TOGETHER: Final = (CreateModel, AddField, AddIndex, AddConstraint)
"""Operations that read of the models only what they add, and so may see them with what later ones add too."""


class AtOnce(Operation):
    """Operations that all see the models as they are before the first and after the last of them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = list(operations)
        # As Django's own RunPython does; its types know the attribute of the class alone.
        self.reversible = all(operation.reversible for operation in self.operations)  # type: ignore[misc]

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change the models' description; their classes are built when they are next asked for."""
        state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)

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
            found.append(operation)
            continue
        group.append(operation)
        if isinstance(operation, CreateModel):
            made.add(operation.name_lower)
    return [*found, AtOnce(group)] if group else found
