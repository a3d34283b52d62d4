"""The operator's page of fees, its file, the provider's own card, and the same by the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.fee_models import ProviderFee
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_user
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(cast: Cast, client: Client) -> Client:
    client.force_login(make_user("olga@example.com", cast.operator))
    return client


def test_a_fee_is_set_announced_listed_and_told_to_its_provider(cast: Cast, operator: Client) -> None:
    assert "Every fee that was set" not in text_of(operator.get("/o/fees/"))
    given = {"provider": str(cast.provider.pk), "fee_percent": "2.5", "from_day": ""}
    assert "from now on" in text_of(operator.post("/o/fees/", given, follow=True))
    ahead = (datetime.now(UTC) + timedelta(days=30)).date()
    later = {**given, "fee_percent": "3", "from_day": ahead.isoformat()}
    assert "It is announced" in text_of(operator.post("/o/fees/", later, follow=True))
    page = text_of(operator.post("/o/fees/", later, follow=True))
    assert "It counted already." in page
    assert "3% from" in page
    assert [row["fee_percent"] for row in rows_of(operator.get("/o/fees.csv"))] == ["3", "2.5"]
    operator.force_login(cast.petra)
    own = text_of(operator.get("/p/organization/"))
    assert "Operator's fee" in own
    assert "2.5%" in own
    assert "3%" in own
    operator.force_login(cast.alice)
    assert "Operator's fee" not in text_of(operator.get("/t/organization/"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fee_percent": "101"}, "less than or equal to 100"),
        ({"fee_percent": "much"}, "Enter a number."),
        ({"from_day": "2020-01-01"}, "expected a time to come"),
        ({"provider": "nobody"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(cast: Cast, operator: Client, changed: dict[str, str], said: str) -> None:
    answer = operator.post("/o/fees/", {"provider": str(cast.provider.pk), "fee_percent": "1", **changed})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not ProviderFee.objects.exists()


def test_programs_set_and_list_them_and_a_provider_reads_its_own(cast: Cast, client: Client) -> None:
    path = f"organizations/{cast.provider.pk}"
    ahead = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    caller = secret_of(cast.operator)
    assert call(client, caller, "put", f"{path}/fee", {"fee_percent": "2.5"}).json()["fee_percent"] == "2.5"
    assert call(client, caller, "put", f"{path}/fee", {"fee_percent": "3", "from_at": ahead}).status_code == 200
    for secret in (caller, secret_of(cast.provider)):
        assert [fee["fee_percent"] for fee in call(client, secret, "get", f"{path}/fees").json()["fees"]] == [
            "3",
            "2.5",
        ]
        assert call(client, secret, "get", path).json()["fee_percent"] == "2.5"
    assert call(client, secret_of(cast.tenant), "get", f"{path}/fees").status_code == 404
    wrong = call(client, caller, "put", f"{path}/fee", {"fee_percent": "3", "from_at": "2020-01-01T00:00:00Z"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "from_at")
