"""The pages of certified revenue show each party its part, and are closed to whoever is no party."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import RevenueStatement
from tests.billing.pages.reading import text_of
from tests.billing.sharing import make_stated
from tests.billing.world import Shared

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def shared(cast: Cast) -> Shared:
    return make_stated(cast.provider, cast.tenant)


def test_a_provider_reads_what_was_certified_and_certifies_nothing(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.petra)
    page = text_of(client.get("/p/revenue/"))
    assert shared.term.ref in page
    assert "Ada Example, head of finance" in page
    assert "Certify this statement" not in page
    # 1,200,000.00 less refunds of 8,250.00
    assert "1,191,750.00" in page


@pytest.mark.parametrize("side", ["t", "p"])
@pytest.mark.usefixtures("shared")
def test_an_outsider_sees_nothing_of_it_and_gets_no_file(cast: Cast, client: Client, side: str) -> None:
    client.force_login(cast.charlie)
    page = text_of(client.get(f"/{side}/revenue/"))
    assert "Nothing is due" in page
    assert "1,191,750.00" not in page
    statement = RevenueStatement.objects.get()
    assert client.get(f"/{side}/revenue/{statement.id}.csv").status_code == 404
