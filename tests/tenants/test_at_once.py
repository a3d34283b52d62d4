"""Operations done at once do to the database what they do one by one, in the same order."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from tenants.at_once import AtOnce, at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.migrations.operations.base import Operation


def make(name: str, **fields: models.Field[object, object]) -> migrations.CreateModel:
    number: models.Field[object, object] = models.BigAutoField(primary_key=True)
    return migrations.CreateModel(name, [("id", number), *fields.items()])


def operations() -> list[Operation]:
    """A book with pages; what adds to the book stands behind its making."""
    return [
        make("Book", title=models.CharField(max_length=9)),
        make("Page", book=models.ForeignKey("sample.Book", models.PROTECT)),
        migrations.AddField("book", "first", models.ForeignKey("sample.Page", models.PROTECT, null=True)),
        migrations.AddIndex("book", models.Index(fields=["title"], name="book_by_title")),
        migrations.AddConstraint("page", models.UniqueConstraint(fields=["book"], name="page_once")),
        migrations.RunSQL("SELECT 1", "SELECT 2"),
        migrations.AddField("page", "number", models.IntegerField(default=1)),
        migrations.AddConstraint("page", models.CheckConstraint(condition=models.Q(number__gt=0), name="page_counts")),
    ]


def carried_out(done: Sequence[Operation], *, back: bool = False) -> tuple[list[str], ProjectState]:
    """The statements of a migration with these operations, or of taking it back, and the models after it."""
    migration = type("Made", (migrations.Migration,), {"operations": done})("0001", "sample")
    state = ProjectState()
    after = migration.mutate_state(state, preserve=True)
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        if back:
            migration.unapply(state, editor, collect_sql=True)
        else:
            migration.apply(state, editor, collect_sql=True)
    statements = [line for line in editor.collected_sql if not line.startswith("--")]
    return statements, after


def test_what_may_be_is_put_together_and_what_adds_to_a_new_table_stands_behind_it() -> None:
    grouped = at_once(operations())
    sizes = [len(each.operations) if isinstance(each, AtOnce) else 0 for each in grouped]
    assert sizes == [2, 3, 0, 2]
    assert at_once([]) == []


@pytest.mark.django_db
@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
def test_the_statements_and_the_models_are_those_of_one_by_one(back: bool) -> None:
    one_by_one, models_one_by_one = carried_out(operations(), back=back)
    together, models_together = carried_out(at_once(operations()), back=back)
    assert len(one_by_one) >= len(operations())
    assert together == one_by_one
    assert models_together == models_one_by_one


def test_it_can_be_taken_back_where_each_can_and_says_what_it_does() -> None:
    both = operations()[:2]
    assert AtOnce(both).reversible
    assert not AtOnce([*both, migrations.RunSQL("SELECT 1")]).reversible
    assert AtOnce(deepcopy(both)).describe() == "Create model Book; Create model Page"
