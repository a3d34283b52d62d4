"""Operations done at once do to the database what they do one by one, in the same order."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from tenants.at_once import Anew, AtOnce, at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import StateApps


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


def changes() -> list[Operation]:
    """What is done to tables that are there: to one alone, to a key that another one refers to, and by a function."""
    return [
        migrations.AlterField("book", "title", models.TextField()),
        migrations.AlterModelOptions("book", {"ordering": ["title"]}),
        migrations.AddField("page", "other", models.ForeignKey("sample.Book", models.PROTECT, null=True)),
        migrations.AlterField("book", "id", models.CharField(max_length=9, primary_key=True)),
        migrations.RenameModel("Page", "Leaf"),
        migrations.RemoveField("leaf", "other"),
        migrations.RunPython(look_at_the_models, migrations.RunPython.noop),
        migrations.DeleteModel("Leaf"),
    ]


looked: list[bool] = []


def look_at_the_models(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    book, leaf = apps.get_model("sample", "Book"), apps.get_model("sample", "Leaf")
    looked.append(leaf._meta.get_field("book").related_model is book)
    looked.append({one.related_model for one in book._meta.related_objects} == {leaf})


def carried_out(
    done: Sequence[Operation], *, back: bool = False, built: bool = False
) -> tuple[list[str], ProjectState]:
    """The statements of a migration with these operations, or of taking it back, and the models after it.

    With `built` the classes of the models are there when it begins, as they are for all migrations but the first.
    """
    migration = type("Made", (migrations.Migration,), {"operations": done})("0001", "sample")
    state = ProjectState()
    after = migration.mutate_state(state, preserve=True)
    if built:
        assert state.apps is not None
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


def test_what_was_put_together_stays_so() -> None:
    grouped = at_once(operations())
    assert at_once(grouped) == grouped


def test_what_reads_related_models_has_them_built_anew() -> None:
    kinds = [type(each) for each in at_once(changes())]
    alter, rename, remove, delete = (type(changes()[at]) for at in (3, 4, 5, 7))
    assert kinds == [
        *(AtOnce, AtOnce, AtOnce),
        *(Anew, alter, Anew, rename, Anew, remove),
        *(migrations.RunPython, Anew, delete),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("built", [False, True], ids=["not built yet", "built"])
@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
def test_the_statements_and_the_models_are_those_of_one_by_one(back: bool, built: bool) -> None:
    one_by_one, models_one_by_one = carried_out(operations(), back=back, built=built)
    together, models_together = carried_out(at_once(operations()), back=back, built=built)
    assert len(one_by_one) >= len(operations())
    assert together == one_by_one
    assert models_together == models_one_by_one


@pytest.mark.django_db
@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
def test_what_is_taken_off_a_table_concerns_it_alone(back: bool) -> None:
    fewer = models.UniqueConstraint(fields=["book", "number"], name="page_once")
    taken = [
        migrations.RemoveIndex("book", "book_by_title"),
        migrations.RemoveConstraint("page", "page_once"),
        migrations.AddConstraint("page", fewer),
    ]
    assert [type(each) for each in at_once(taken)] == [AtOnce, AtOnce, AtOnce]
    one_by_one, models_one_by_one = carried_out([*operations(), *taken], back=back, built=True)
    together, models_together = carried_out(at_once([*operations(), *taken]), back=back, built=True)
    assert together == one_by_one
    assert models_together == models_one_by_one
    assert sum("DROP INDEX" in statement for statement in together) == 1


@pytest.mark.django_db
def test_changes_of_tables_that_others_refer_to_reach_the_others() -> None:
    done = [*operations()[:2], *changes()[:6]]
    one_by_one, models_one_by_one = carried_out(done, built=True)
    together, models_together = carried_out(at_once(done), built=True)
    assert together == one_by_one
    assert models_together == models_one_by_one
    # The key of a book became text, and so did what refers to it.
    assert sum("varchar(9)" in statement and "book_id" in statement for statement in together) == 1


@pytest.mark.django_db
def test_a_function_sees_the_models_as_they_are_then_all_of_one_making() -> None:
    looked.clear()
    migration = type("Made", (migrations.Migration,), {"operations": at_once([*operations()[:2], *changes()])})
    state = ProjectState()
    assert state.apps is not None
    with connection.schema_editor() as editor:
        migration("0001", "sample").apply(state, editor)
    assert looked == [True, True]


def test_classes_are_built_of_the_models_alone_that_are_changed() -> None:
    state = ProjectState()
    for operation in at_once(operations()[:2]):
        operation.state_forwards("sample", state)
    book, page = (state.apps.get_model("sample", name) for name in ("Book", "Page"))
    for operation in at_once(operations()[6:]):
        operation.state_forwards("sample", state)
    assert state.apps.get_model("sample", "Book") is book
    assert state.apps.get_model("sample", "Page") is not page
    assert state.apps.get_model("sample", "Page")._meta.get_field("number").default == 1
    Anew().state_forwards("sample", state)
    assert state.apps.get_model("sample", "Book") is not book


def test_it_can_be_taken_back_where_each_can_and_says_what_it_does() -> None:
    both = operations()[:2]
    assert AtOnce(both).reversible
    assert not AtOnce([*both, migrations.RunSQL("SELECT 1")]).reversible
    assert AtOnce(deepcopy(both)).describe() == "Create model Book; Create model Page"
