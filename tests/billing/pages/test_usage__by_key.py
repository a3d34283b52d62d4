"""Usage by key and project on the page: choices in the address, drill-down to the hour, and what is marked deleted."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import Invoice
from clusters.models import Binding
from tests.billing.pages.keyed import tell_apart
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.pages.test_usage import MARCH_PAGE
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from metering.key_models import UsageKey
    from tests.factories import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("told_contexts")]


month = kept(make_march)


@kept
def told(cast: Cast, month: Month) -> dict[str, UsageKey]:
    assert month.invoice.tenant == cast.tenant
    return tell_apart(cast.tenant)


@pytest.fixture
def keys(cast: Cast, client: Client, told: dict[str, UsageKey]) -> dict[str, UsageKey]:
    client.force_login(cast.alice)
    return told


def costs(response: Any) -> dict[str, Decimal]:
    return {line.name: line.cost for line in response.context["part_lines"]}


def test_columns_and_table_by_key_add_up_to_the_invoice(client: Client, keys: dict[str, UsageKey]) -> None:
    response = client.get(f"{MARCH_PAGE}&group=key")
    found = costs(response)
    assert set(found) == {*keys, "Without a key"}
    assert sum(found.values()) == Invoice.objects.get().total
    text = text_of(response)
    assert "agents-internal deleted" in text
    assert "carry no key belong to no key" in text
    by_project = costs(client.get(f"{MARCH_PAGE}&group=project"))
    assert by_project["Assistant"] == found["chat-web"]
    assert sum(by_project.values()) == sum(found.values())


def test_a_row_of_the_table_leads_to_what_it_shows(client: Client, keys: dict[str, UsageKey]) -> None:
    for group in ("key", "project"):
        for line in client.get(f"{MARCH_PAGE}&group={group}").context["part_lines"]:
            assert client.get(line.url).context["sheet"].total == line.cost


def test_a_keys_page_shows_its_use_alone(client: Client, keys: dict[str, UsageKey]) -> None:
    response = client.get(f"/t/usage/key/{keys['agents-internal'].id}/?month=2026-03")
    text = text_of(response)
    assert "agents-internal deleted" in text
    assert "GPU-hours" not in text
    rows = rows_of(client.get(response.context["export_url"]))
    assert {row["key"] for row in rows} == {"agents-internal"}
    assert sum(Decimal(row["amount"]) for row in rows) == response.context["sheet"].total
    other = client.get(f"/t/usage/key/{keys['agents-internal'].id}/?month=2026-03&model={SMALL}")
    assert other.context["sheet"].models == (LARGE, SMALL)
    assert [line.name for line in other.context["model_lines"]] == [SMALL]


def test_a_models_page_says_when_it_is_no_longer_served(client: Client, keys: dict[str, UsageKey]) -> None:
    page = f"/t/usage/model/{LARGE}/?month=2026-03"
    assert "no longer served" not in text_of(client.get(page))
    Binding.objects.filter(model=LARGE).update(to_at=APRIL)
    assert "no longer served" in text_of(client.get(page))
    assert client.get("/t/usage/model/never-heard-of/").status_code == 404


def test_another_zone_to_read_in_keeps_every_total(client: Client, keys: dict[str, UsageKey]) -> None:
    plain = client.get(MARCH_PAGE)
    moved = client.get(f"{MARCH_PAGE}&tz=Pacific/Auckland")
    assert moved.context["sheet"].total == plain.context["sheet"].total == Invoice.objects.get().total
    assert "drawn by days of Pacific/Auckland, the totals stay" in text_of(moved)
    file = client.get("/t/usage.csv?month=2026-03&tz=Pacific/Auckland")
    assert "Pacific-Auckland" in file["Content-Disposition"]
    text = b"".join(file.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(Decimal(row["amount"]) for row in rows) == plain.context["sheet"].total


@pytest.mark.parametrize(
    ("address", "words", "chinese"),
    [
        (f"{MARCH_PAGE}&tz=Mars/Olympus", "There is no time zone of this name: Mars/Olympus", "没有这个名称的时区"),
        ("/t/usage/?month=2026-99", "It names no month (2026-03)", "日历中没有"),
        ("/t/usage/2026-03-02/?hour=24", "The day has the hours 0 to 23.", "0 到 23"),
    ],
)
def test_a_time_that_cannot_be_shown_is_explained(
    client: Client, keys: dict[str, UsageKey], address: str, words: str, chinese: str
) -> None:
    refused = client.get(address)
    assert refused.status_code == 404
    assert words in text_of(refused)
    assert f'href="{address.partition("?")[0]}"' in refused.content.decode()
    client.cookies["django_language"] = "zh-hans"
    assert chinese in text_of(client.get(address))


def test_a_day_leads_to_its_hours_and_an_hour_to_its_keys(client: Client, keys: dict[str, UsageKey]) -> None:
    day = client.get("/t/usage/2026-03-05/")
    assert set(costs(day)) == {*keys, "Without a key"}
    assert 'href="/t/usage/2026-03-05/?hour=9"' in day.content.decode()
    hour = client.get("/t/usage/2026-03-05/?hour=9")
    assert "09:00 UTC" in text_of(hour)
    assert sum(costs(hour).values()) == hour.context["sheet"].total == day.context["sheet"].total
    empty = client.get("/t/usage/2026-03-05/?hour=10")
    assert empty.context["sheet"].total == 0
    assert "Whole day" in text_of(empty)
    for wrong in ("24", "-1", "x"):
        assert client.get(f"/t/usage/2026-03-05/?hour={wrong}").status_code == 404


def test_a_day_can_be_read_of_one_key_in_another_zone(client: Client, keys: dict[str, UsageKey]) -> None:
    query = f"?key={keys['chat-web'].id}&tz=Asia/Shanghai"
    page = client.get(f"/t/usage/2026-03-05/{query}")
    assert set(costs(page)) == {"chat-web"}
    assert "as you chose to read them" in text_of(page)
    assert "tz=Asia%2FShanghai" in page.context["previous"].url
    # The events of 9 o'clock UTC are at 17 o'clock there.
    assert "17:00 CST" in client.get(f"/t/usage/2026-03-05/{query}&hour=17").context["title"]
    assert client.get(f"/t/usage/2026-03-05/{query}&hour=17").context["sheet"].total == page.context["sheet"].total


def test_who_has_no_keys_is_not_asked_for_any(cast: Cast, client: Client, month: Month) -> None:
    client.force_login(cast.alice)
    response = client.get(MARCH_PAGE)
    assert response.context["keys"] == ()
    assert [choice.title for choice in response.context["choices"]] == ["Type", "Model"]
    assert client.get("/t/usage/2026-03-05/").context["part_lines"] == ()


def test_others_keys_have_no_page(cast: Cast, client: Client, keys: dict[str, UsageKey]) -> None:
    client.force_login(cast.charlie)
    assert client.get(f"/t/usage/key/{keys['chat-web'].id}/").status_code == 404
