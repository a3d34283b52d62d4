"""Opens the back office's pages of an app as its operator would: every list, every row, and what must not change."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tenants.back_office import ReadOnly
from tenants.models import User
from tests.factories import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model
    from django.http import HttpRequest


def operator() -> Client:
    """A client that is signed in as somebody who may do all that the back office offers."""
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD, name="Root"))
    return client


def tables_of(app: str) -> dict[type[Model], Any]:
    """What the back office shows of an app by a page written for it; the others are walked by tests of the registry."""
    models = [model for model in apps.get_app_config(app).get_models() if admin.site.is_registered(model)]
    tables = {model: admin.site.get_model_admin(model) for model in models}
    return {model: table for model, table in tables.items() if type(table).__module__ == f"{app}.admin"}


def page_of(model: type[Model], page: str, *arguments: object) -> str:
    """The path of a page of a table: changelist, add, change, delete, history."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


@contextmanager
def without_menu() -> Iterator[None]:
    """Open pages without the menu of all tables beside each, which is the same on all of them and a third of the work.

    The first page shows it too, and has a test of its own.
    """
    make = admin.site.get_app_list
    made: dict[str | None, list[Any]] = {}

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label not in made:
            made[app_label] = make(request, app_label)
        return made[app_label]

    with pytest.MonkeyPatch.context() as put:
        put.setattr(admin.site, "enable_nav_sidebar", False)
        put.setattr(admin.site, "get_app_list", get_app_list)
        yield


def open_every_page(client: Client, app: str) -> dict[str, int]:
    """Open every list, with its search, pages of rows and the past of one; return how many rows each table had."""
    with without_menu():
        return {model.__name__: _open_pages_of(client, model, table) for model, table in tables_of(app).items()}


def _open_pages_of(client: Client, model: type[Model], table: Any) -> int:
    rows = list(model._default_manager.all()[:3])
    assert client.get(page_of(model, "changelist")).status_code == 200, model
    if table.search_fields:
        assert client.get(page_of(model, "changelist"), {"q": "sample"}).status_code == 200, model
    paths = [page_of(model, "change", row.pk) for row in rows]
    paths += [page_of(model, "history", row.pk) for row in rows[:1]]
    for path in paths:
        assert client.get(path).status_code == 200, path
    return len(rows)


def assert_read_only(client: Client, model: type[Model]) -> None:
    """Neither adding, changing nor deleting works, by form or by the list's actions."""
    assert isinstance(admin.site.get_model_admin(model), ReadOnly), model
    before = list(model._default_manager.order_by("pk").values())
    assert before, f"no row of {model.__name__} to try it on"
    assert model._meta.pk is not None
    row = before[0][model._meta.pk.attname]
    for path in (page_of(model, "add"), page_of(model, "change", row), page_of(model, "delete", row)):
        assert client.post(path, {"post": "yes"}).status_code == 403, path
    client.post(page_of(model, "changelist"), {"action": "delete_selected", "_selected_action": [row], "post": "yes"})
    assert list(model._default_manager.order_by("pk").values()) == before
