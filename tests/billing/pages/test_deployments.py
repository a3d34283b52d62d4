"""The provider's pages of deployments: a list and its file, one begins, takes and gives up models, and ends."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.queries.deployment_list import deployments_found, free_models
from clusters.models import Binding, Deployment, Endpoint
from tenants.models import Role
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node, make_user

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LIST, NEW, FILE = "/p/deployments/", "/p/deployments/new/", "/p/deployments.csv"
HOUR = timedelta(hours=1)


@pytest.fixture
def server(cast: Cast) -> Endpoint:
    made = make_endpoint(make_node(make_cluster(cast.provider, slug="north"), "n-1"))
    Endpoint.objects.filter(pk=made.pk).update(served_models=["chat", "code"])
    return made


@pytest.fixture
def chat(cast: Cast, server: Endpoint, client: Client) -> Deployment:
    client.force_login(cast.petra)
    made = make_deployment(cast.provider, cast.tenant, server, "chat")
    Deployment.objects.filter(pk=made.pk).update(name="Chat", slug="chat")
    return made


def minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"


def act(client: Client, one: Deployment, do: str, **given: str) -> HttpResponse:
    named = {f"{do}-{name}": value for name, value in given.items()}
    return client.post(f"{LIST}{one.pk}/", {"do": do, **named}, follow=True)  # type: ignore[return-value]  # Django's own


def test_the_list_and_its_file_are_narrowed_alike(cast: Cast, chat: Deployment, client: Client) -> None:
    make_deployment(cast.provider, cast.tenant)
    now = datetime.now(UTC)
    Deployment.objects.exclude(pk=chat.pk).update(name="Old", slug="old", to_at=now - HOUR)

    def names(query: str) -> list[str]:
        page = client.get(f"{LIST}{query}").content.decode()
        rows = csv.DictReader(io.StringIO(client.get(f"{FILE}{query}").getvalue().decode()))
        found = [row["name"] for row in rows]
        assert [name for name in ("Chat", "Old") if f">{name}</a>" in page] == sorted(found)
        return found

    streamed = client.get(FILE)
    assert streamed["Content-Type"].startswith("text/csv")
    assert sorted(names("")) == ["Chat", "Old"]
    assert names("?state=ended") == ["Old"]
    assert names("?state=running&q=cha") == names("?cluster=north") == ["Chat"]
    assert names("?state=coming") == names("?cluster=none") == []


def test_an_empty_list_says_what_a_deployment_is_for(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No deployments yet" in client.get(LIST).content.decode()
    assert "No deployment found" in client.get(f"{LIST}?q=x").content.decode()


def test_one_begins_with_models_that_are_free(cast: Cast, chat: Deployment, client: Client, server: Endpoint) -> None:
    cast.tenant.introduced_by = cast.provider
    cast.tenant.save(update_fields=["introduced_by"])
    page = client.get(NEW).content.decode()
    assert f'value="{server.pk}|code"' in page
    assert f'value="{server.pk}|chat"' not in page
    given = {
        "tenant": cast.tenant.slug, "name": "Code help", "from_at": minute(datetime.now(UTC) - HOUR),
        "models": f"{server.pk}|code",
    }  # fmt: skip
    answer = client.post(NEW, given, follow=True).content.decode()
    made = Deployment.objects.get(slug="code-help")
    assert "Code help begins." in answer
    assert (made.tenant, made.provider) == (cast.tenant, cast.provider)
    assert list(Binding.objects.filter(deployment=made).values_list("model", flat=True)) == ["code"]
    again = client.post(NEW, {name: value for name, value in given.items() if name != "models"})
    assert (again.status_code, "is taken" in again.content.decode()) == (422, True)


def test_it_takes_and_gives_up_a_model(chat: Deployment, client: Client, server: Endpoint) -> None:
    now = datetime.now(UTC)
    act(client, chat, "bind", model=f"{server.pk}|code", from_at=minute(now - HOUR))
    assert Binding.objects.filter(deployment=chat, to_at=None).count() == 2
    act(client, chat, "unbind", model=f"{server.pk}|chat", to_at=minute(now - HOUR))
    left = Binding.objects.get(model="chat")
    assert left.to_at is not None
    assert minute(left.to_at) == minute(now - HOUR)
    refused = act(client, chat, "unbind", model=f"{server.pk}|code", to_at=minute(now - 30 * HOUR))
    assert (refused.status_code, "it does not have code" in refused.content.decode()) == (422, True)


def test_it_ends_and_then_nothing_more_can_be_done(chat: Deployment, client: Client) -> None:
    now = datetime.now(UTC)
    page = act(client, chat, "end", to_at=minute(now - HOUR)).content.decode()
    chat.refresh_from_db()
    assert chat.to_at is not None
    assert "End this deployment" not in page
    assert "ended" in page
    assert act(client, chat, "end", to_at=minute(now)).status_code == 422


def test_who_may_not_manage_reads_alone(cast: Cast, chat: Deployment, client: Client) -> None:
    client.force_login(make_user("vera@example.com", cast.provider, Role.VIEWER))
    page = client.get(f"{LIST}{chat.pk}/").content.decode()
    assert "End this deployment" not in page
    assert [act(client, chat, "end", to_at="2026-01-01T00:00").status_code, client.get(NEW).status_code] == [403, 403]
    assert "Begin a deployment" not in client.get(LIST).content.decode()


def test_what_is_free_and_what_is_whose(cast: Cast, chat: Deployment, server: Endpoint) -> None:
    now = datetime.now(UTC)
    assert [(one.model, one.node) for one in free_models(cast.provider, now)] == [("code", "n-1")]
    assert free_models(cast.outsider, now) == []
    assert list(deployments_found(cast.outsider, now)) == []
