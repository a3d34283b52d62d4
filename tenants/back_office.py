"""What the operator's back office shows of any table: read only, bounded, and without what nobody may read."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.core.paginator import Paginator
from django.db.models import BinaryField, CharField, JSONField, TextField, UUIDField

if TYPE_CHECKING:
    from django.db.models import Field, Model
    from django.http import HttpRequest

    Table = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    # Django's classes take type arguments in their stubs only.
    Table = admin.ModelAdmin
    Pages = Paginator

ROWS_COUNTED_MOST: Final = 10_000
"""How far a list of the back office counts: a table of metered facts has hundreds of millions of rows."""

COLUMNS_MOST: Final = 7
NOT_IN_LISTS: Final = (ArrayField, BinaryField, JSONField, TextField)
"""What has no place in a row of a list: it is shown on the page of the one."""

SEARCHED: Final = frozenset({"name", "slug", "number", "key", "reference", "email", "address", "code", "ref"})
"""Names of columns by which a person looks for one row."""

SECRETS: Final = {
    "tenants_webhookendpoint": frozenset({"secret", "old_secret"}),
    "tenants_signonprovider": frozenset({"secret_sealed"}),
    "tenants_idempotentcall": frozenset({"answer"}),
    "tenants_user": frozenset({"password"}),
}
"""Columns that nobody reads, by table: keys that sign, sealed keys, and answers in which a key was told once.

Columns of bytes (hashes of keys, stored bodies) are shown nowhere, whatever their table."""


class BoundedPages(Pages):
    """Pages of a list that is counted no further than it is read by people."""

    @cached_property
    def count(self) -> int:
        """Rows, at most `ROWS_COUNTED_MOST`."""
        rows: Any = self.object_list
        return int(rows.order_by()[:ROWS_COUNTED_MOST].count())


class ReadOnly(Table):
    """A table that the back office shows and never changes: actions on it go through the use cases."""

    paginator = BoundedPages
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        """Nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nothing is deleted here."""
        return False


def read_only(model: type[Model]) -> type[ReadOnly]:
    """The page of a table that has none of its own: its first columns, what it is searched and filtered by."""
    shown = [field for field in _columns(model) if not isinstance(field, BinaryField)]
    listed = [field for field in shown if not isinstance(field, NOT_IN_LISTS) and not _is_opaque(field)]
    words = [field for field in listed if isinstance(field, CharField)]
    return type(
        f"{model.__name__}Admin",
        (ReadOnly,),
        {
            "__doc__": model.__doc__,
            "__module__": __name__,
            "fields": [field.name for field in shown],
            "list_display": [field.name for field in listed[:COLUMNS_MOST]] or ["pk"],
            "search_fields": [field.name for field in words if field.name in SEARCHED],
            "list_filter": [field.name for field in words if field.choices],
            "ordering": ["-pk"],
        },
    )


def _columns(model: type[Model]) -> list[Field[Any, Any]]:
    secret = SECRETS.get(model._meta.db_table, frozenset())
    return [field for field in model._meta.fields if field.name not in secret]


def _is_opaque(field: Field[Any, Any]) -> bool:
    return field.primary_key and isinstance(field, UUIDField)
