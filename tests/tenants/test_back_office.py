"""Pages of tables that have none of their own: what a list shows, what it leaves out, and how far it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.db.models import TextField

from tenants import back_office
from tenants.back_office import COLUMNS_MOST, NOT_IN_LISTS, BoundedPages, ReadOnly, read_only
from tenants.hook_models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.models import ApiKey, AuditEntry, Organization
from tests.admin_pages import operator, page_of
from tests.factories import EPOCH
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

SECRET = "whsec_sample-sample-sample"


def endpoint_of(cast: Cast) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        organization=cast.tenant, url="https://hooks.example.com/", kinds=["*"], secret=SECRET, created_at=EPOCH
    )


endpoint = kept(endpoint_of)


def test_a_list_shows_the_first_columns_that_fit_into_a_row() -> None:
    table = read_only(WebhookEvent)
    assert table.list_display == ["organization", "kind", "subject_id", "occasion", "at"]
    assert "body" in (table.fields or [])
    assert table.__doc__ == WebhookEvent.__doc__


def test_the_id_leads_where_it_says_something() -> None:
    assert "id" not in read_only(WebhookEvent).list_display
    assert read_only(WebhookEvent).fields == ["id", "organization", "kind", "subject_id", "occasion", "body", "at"]


@pytest.mark.parametrize("model", [WebhookEvent, WebhookDelivery, Organization, AuditEntry])
def test_no_list_is_wider_than_a_screen_nor_holds_what_is_long(model: Any) -> None:
    listed = read_only(model).list_display
    assert 0 < len(listed) <= COLUMNS_MOST
    fields = {field.name: field for field in model._meta.fields}
    assert not [name for name in listed if isinstance(fields[str(name)], NOT_IN_LISTS)]
    assert issubclass(TextField, NOT_IN_LISTS)


def test_secrets_and_bytes_are_not_among_the_fields() -> None:
    assert not {"secret", "old_secret"} & set(map(str, read_only(WebhookEndpoint).fields or ()))
    assert "old_secret_until" in (read_only(WebhookEndpoint).fields or ())
    assert "secret_sha256" not in (read_only(ApiKey).fields or ())


def test_it_is_searched_by_names_and_filtered_by_what_has_choices() -> None:
    table = read_only(Organization)
    assert set(table.search_fields) == {"slug", "name"}
    assert read_only(WebhookEvent).search_fields == []
    for model in (WebhookDelivery, Organization):
        wanted = [field.name for field in model._meta.fields if field.choices and field.name != "time_zone"]
        assert [str(name) for name in read_only(model).list_filter if name != "time_zone"] == wanted


def test_the_newest_is_first_and_nothing_may_be_done() -> None:
    table = read_only(WebhookEvent)(WebhookEvent, admin.site)
    request: Any = None
    assert isinstance(table, ReadOnly)
    assert table.ordering == ["-pk"]
    assert not table.has_add_permission(request)
    assert not table.has_change_permission(request)
    assert not table.has_delete_permission(request)


def test_a_list_counts_no_further_than_people_read(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Organization.objects.order_by("pk")
    assert rows.count() > 2
    assert BoundedPages(rows, 50).count == rows.count()
    monkeypatch.setattr(back_office, "ROWS_COUNTED_MOST", 2)
    assert BoundedPages(rows, 50).count == 2
    assert BoundedPages(rows.none(), 50).count == 0


def test_counting_is_bounded_in_the_database(cast: Cast, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as asked:
        assert BoundedPages(Organization.objects.order_by("name"), 50).count > 0
    assert f"LIMIT {back_office.ROWS_COUNTED_MOST}" in asked[0]["sql"]
    assert "ORDER BY" not in asked[0]["sql"]


def test_a_page_in_a_browser_tells_all_but_the_secret(endpoint: WebhookEndpoint) -> None:
    root = operator()
    listed = root.get(page_of(WebhookEndpoint, "changelist")).content.decode()
    shown = root.get(page_of(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    for text in (listed, shown):
        assert "hooks.example.com" in text
        assert SECRET not in text
    assert root.get(page_of(WebhookEndpoint, "add")).status_code == 403
    assert root.post(page_of(WebhookEndpoint, "delete", endpoint.pk), {"post": "yes"}).status_code == 403
    assert WebhookEndpoint.objects.filter(pk=endpoint.pk).exists()


def test_staff_without_a_right_see_nothing_of_a_table(cast: Cast, endpoint: WebhookEndpoint) -> None:
    root = operator()
    person = type(cast.alice).objects.get(pk=cast.alice.pk)
    person.is_staff = True
    person.save(update_fields=["is_staff"])
    root.force_login(person)
    assert root.get(page_of(WebhookEndpoint, "changelist")).status_code == 403
    assert root.get(page_of(WebhookEndpoint, "change", endpoint.pk)).status_code == 403
