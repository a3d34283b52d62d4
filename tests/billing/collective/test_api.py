"""Collective invoices over HTTP: both parties read them, the provider says who gets them, nobody else sees any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.payment_references import payment_reference
from tests.billing.collected import pay_by_hand
from tests.billing.collective.gathered import gathered, waits
from tests.billing.test_closing_api import client_of, get, send
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Collective, Invoice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def parts(cast: Cast) -> list[Invoice]:
    return [
        waits((cast.provider, cast.tenant), amount, minutes=place) for place, amount in enumerate(("100.00", "23.45"))
    ]


@kept
def made(parts: list[Invoice]) -> Collective:
    return gathered()


def test_both_parties_read_it_with_its_parts_and_what_is_left(
    cast: Cast, parts: list[Invoice], made: Collective
) -> None:
    pay_by_hand(parts[0], "60.00")
    for party in (cast.provider, cast.tenant):
        [listed] = get(client_of(party), "collective-invoices")["collective_invoices"]
        assert listed == get(client_of(party), f"collective-invoices/{made.pk}")
        assert (listed["number"], listed["total"], listed["left"]) == (made.number, "123.45", "63.45")
        assert (listed["payment_reference"], listed["payment_url"]) == (payment_reference(made.number), "")
        assert [(part["number"], part["amount"], part["left"]) for part in listed["parts"]] == [
            (parts[0].number, "100.00", "40.00"),
            (parts[1].number, "23.45", "23.45"),
        ]


def test_it_is_nobody_elses(cast: Cast, made: Collective) -> None:
    outsider = client_of(cast.outsider)
    assert get(outsider, "collective-invoices")["collective_invoices"] == []
    get(outsider, f"collective-invoices/{made.pk}", status=404)
    get(outsider, f"collective-invoices/{made.pk}/pdf", status=404)
    get(client_of(cast.tenant), f"collective-invoices/{made.pk}/pdf", status=409)


def test_pages_follow_each_other_the_latest_first(cast: Cast, made: Collective) -> None:
    waits((cast.provider, cast.tenant), "1.00"), waits((cast.provider, cast.tenant), "2.00")
    second = gathered()
    client = client_of(cast.tenant)
    first_page = get(client, "collective-invoices?limit=1")
    rest = get(client, f"collective-invoices?limit=1&cursor={first_page['next_cursor']}")
    ids = [page["collective_invoices"][0]["id"] for page in (first_page, rest)]
    assert sorted(ids) == sorted([str(made.pk), str(second.pk)])
    assert rest["next_cursor"] is None


def test_the_list_is_a_file_too(cast: Cast, made: Collective) -> None:
    answer: Any = client_of(cast.tenant).get("/api/v1/collective-invoices", headers={"accept": "text/csv"})
    text = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()
    assert made.number in text


def test_the_provider_says_who_is_asked_so(cast: Cast, made: Collective) -> None:
    provider = client_of(cast.provider)
    assert get(provider, "together-rules")["together_rules"] == [{"tenant": "tenant", "is_on": False}]
    said = send(provider, "put", "together-rules", {"tenant": "tenant", "is_on": True})
    assert said == {"tenant": "tenant", "is_on": True}
    assert get(provider, "together-rules")["together_rules"] == [said]
    assert send(provider, "put", "together-rules", {"tenant": "outsider", "is_on": True}, 422)["code"] == (
        "no_tenant_of_yours"
    )
    assert send(provider, "put", "together-rules", {"tenant": "tenant"}, 422)["code"] == "wrong_together_rule"
    get(client_of(cast.tenant), "together-rules", status=404)
