"""Programs end deployments, and give and take models, of their own provider alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.clusters.test_fleet_api import Program
from tests.factories import EPOCH, make_cluster, make_deployment, make_endpoint, make_node

if TYPE_CHECKING:
    from clusters.models import Endpoint
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(cast: Cast) -> Endpoint:
    return make_endpoint(make_node(make_cluster(cast.provider)))


def instant(days_ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days_ago):%Y-%m-%dT%H:%M:%SZ}"


def test_a_program_gives_a_model_takes_it_back_and_ends_it_all(cast: Cast, server: Endpoint) -> None:
    chat, provider = make_deployment(cast.provider, cast.tenant), Program(cast.provider)
    where, what = f"deployments/{chat.pk}", {"endpoint_id": str(server.pk), "model": "m"}
    at, then, last, past = (instant(days) for days in (4, 3, 2, 1))
    bound = provider.post(f"{where}/bind", {**what, "from_at": at})
    assert (bound.status_code, bound.json()["bindings"]) == (200, [{**what, "from_at": at, "to_at": None}])
    left = provider.post(f"{where}/unbind", {**what, "to_at": then})
    assert left.json()["bindings"][0]["to_at"] == then
    ended = provider.post(f"{where}/end", {"to_at": last})
    assert (ended.status_code, ended.json()["to_at"]) == (200, last)
    assert Program(cast.tenant).get(where) == ended.json()
    later = provider.post(f"{where}/end", {"to_at": past})
    assert (later.status_code, later.json()["code"]) == (409, "deployment_over")
    early = provider.post(f"{where}/end", {"to_at": EPOCH.isoformat()})
    assert (early.status_code, early.json()["code"]) == (422, "wrong_deployment_instant")


def test_of_others_there_is_nothing(cast: Cast, server: Endpoint) -> None:
    chat = make_deployment(cast.provider, cast.tenant, server)
    body = {"to_at": instant(1)}
    for organization in (cast.tenant, cast.outsider):
        refused = Program(organization).post(f"deployments/{chat.pk}/end", body)
        assert refused.status_code == 404
    chat.refresh_from_db()
    assert chat.to_at is None
