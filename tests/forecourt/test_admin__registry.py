"""Every table of ours has its page in the back office; what only grows and what is money is only looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import BinaryField, Model
from django.urls import reverse

from forecourt.admin import HIDDEN, OURS
from tenants.back_office import SECRETS, ReadOnly
from tenants.models import Organization, User
from tests.admin_pages import operator, page_of, tables_of, without_menu
from tests.filled import Filled, fill
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

EDITED = {Organization, User}
"""What the operator changes here; everything else goes through the use cases."""

MODELS = [model for app in OURS for model in apps.get_app_config(app).get_models()]
GUARDS = ("append_only", "grows_only", "no_delete", "no_truncate")


def test_every_app_of_ours_is_named() -> None:
    holding = {config.label for config in apps.get_app_configs() if list(config.get_models())}
    framework = {"admin", "auth", "contenttypes", "sessions", "account", "mfa", "socialaccount", "usersessions"}
    assert holding - framework == set(OURS)


def test_every_table_of_ours_is_shown_and_no_table_of_a_framework() -> None:
    assert {model for model in MODELS if not admin.site.is_registered(model)} == set()
    assert set(admin.site._registry) == set(MODELS)
    assert not set(HIDDEN) & set(admin.site._registry)


def test_only_people_and_organizations_are_edited() -> None:
    editable = {model for model in MODELS if not isinstance(admin.site.get_model_admin(model), ReadOnly)}
    assert editable == EDITED


@pytest.mark.parametrize("app", OURS)
def test_no_inline_of_a_read_only_page_can_be_changed(app: str, rf: Any) -> None:
    request = rf.get("/admin/")
    request.user = User(is_superuser=True, is_staff=True)
    for model in apps.get_app_config(app).get_models():
        table = admin.site.get_model_admin(model)
        if model in EDITED:
            continue
        assert not table.has_add_permission(request), model
        assert not table.has_change_permission(request), model
        assert not table.has_delete_permission(request), model
        for inline in table.get_inline_instances(request):
            assert not inline.has_change_permission(request, None), (model, inline)
            assert inline.max_num == 0, (model, inline)
            assert not inline.can_delete, (model, inline)


def test_what_the_database_guards_is_only_looked_at(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND NOT relispartition AND tgname ~ %s",
            [f"_({'|'.join(GUARDS)})$"],
        )
        guarded = {name for (name,) in cursor.fetchall()}
    tables = {model._meta.db_table: model for model in MODELS}
    assert len(guarded) > 60
    assert guarded - set(tables) == set(), "a guarded table that the back office does not show"
    for name in guarded:
        assert isinstance(admin.site.get_model_admin(tables[name]), ReadOnly), name


def _fields_shown(model: type[Model], rf: Any) -> set[str]:
    request = rf.get("/admin/")
    request.user = User(is_superuser=True, is_staff=True)
    table = admin.site.get_model_admin(model)
    lists = [str(name) for name in table.get_list_display(request)]
    return {*map(str, table.get_fields(request)), *lists, *map(str, table.get_search_fields(request))}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_page_shows_a_secret_or_bytes(model: type[Model], rf: Any) -> None:
    shown = _fields_shown(model, rf)
    assert not shown & SECRETS.get(model._meta.db_table, frozenset())
    assert not {field.name for field in model._meta.fields if isinstance(field, BinaryField)} & shown


SOUNDS_SECRET = ("secret", "password", "sealed", "private")


def test_whatever_sounds_like_a_secret_is_declared_as_one() -> None:
    """A column that is added under such a name is hidden, or is bytes, which are shown nowhere."""
    found = {
        (model._meta.db_table, field.name)
        for model in MODELS
        for field in model._meta.fields
        if any(word in field.name for word in SOUNDS_SECRET) and not isinstance(field, BinaryField)
    }
    declared = {(table, name) for table, names in SECRETS.items() for name in names}
    assert {one for one in found if one[1] != "old_secret_until"} - declared == set()
    columns = {(model._meta.db_table, field.name) for model in MODELS for field in model._meta.fields}
    assert declared <= columns, "a secret of a column that is gone"


@pytest.fixture
def root(db: None) -> Client:
    return operator()


filled = kept(fill)


def test_a_list_is_titled_by_what_is_in_it(root: Client) -> None:
    page = root.get(reverse("admin:billing_ledgerentry_changelist")).content.decode()
    assert "<title>Ledger entries · Forecourt operations</title>" in page
    assert "<h1>Ledger entries</h1>" in page
    assert "Select ledger entry" not in page
    assert "<h1>Every table</h1>" in root.get(reverse("admin:index")).content.decode()


def test_apps_with_tables_of_their_own_have_tests_of_their_own() -> None:
    """Those open every page of such a table: `tests.admin_pages.open_every_page`."""
    tests = Path(__file__).parents[1]
    assert {app for app in OURS if tables_of(app)} <= {file.parent.name for file in tests.glob("*/test_admin.py")}


@pytest.mark.unmeasured
@pytest.mark.parametrize("app", OURS)
def test_every_other_list_and_the_page_of_a_row_of_each_open(filled: Filled, root: Client, app: str) -> None:
    paths = []
    for model in apps.get_app_config(app).get_models():
        if model in tables_of(app):
            continue
        paths.append(page_of(model, "changelist"))
        row = model._default_manager.first()
        if row is not None:
            paths.append(page_of(model, "change", row.pk))
    with without_menu():
        assert [path for path in paths if root.get(path).status_code != 200] == []


def test_the_first_page_names_every_app_of_ours(root: Client) -> None:
    text = root.get(reverse("admin:index")).content.decode()
    for app in OURS:
        assert reverse("admin:app_list", args=[app]) in text


def test_a_posted_change_of_a_fact_is_refused_whatever_its_table(filled: Filled, root: Client) -> None:
    kinds: list[type[Model]] = [type(filled.invoice), type(filled.lease), type(filled.movement)]
    for model in kinds:
        row: dict[str, Any] | None = model._default_manager.values().first()
        assert row is not None
        for page in ("change", "delete"):
            key = row[model._meta.pk.attname]
            assert root.post(page_of(model, page, key), {"post": "yes"}).status_code == 403, model
        assert model._default_manager.values().first() == row
