"""Hours unlike before are said where the use is looked at: the month, the day and its hour, with the API's figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils.translation import override

from billing.models import SpendAlert
from billing.pages.unlike_hours import SHOWN_MAX, unlike_notices
from portal.figures import EN, ZH
from tenants.api_keys import issue_key
from tests.billing.pages.made import LARGE, SMALL, Month, make_march
from tests.billing.pages.reading import text_of
from tests.billing.world import APRIL, MARCH
from tests.kept import kept
from tests.narrow_marks import NARROW

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 12, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = (MARCH, APRIL)
month = kept(make_march)


def unlike(
    organization: Organization,
    at: datetime = AT,
    *,
    model: str = LARGE,
    used: int = 1_200_000,
    usual: int = 210_000,
    side: str = "tenant",
) -> SpendAlert:
    return SpendAlert.objects.create(
        organization=organization, side=side, kind="anomaly", scope="model", subject=model, measure="tokens",
        from_at=at, to_at=at + HOUR, amount=usual, used=used, at=at + 2 * HOUR,
    )  # fmt: skip


def said(organization: Organization, locale: str = EN, **more: object) -> list[tuple[str, str, str]]:
    found = unlike_notices(organization, SPAN, "UTC", locale, **more)  # type: ignore[arg-type]  # as its callers give it
    return [(one.strong, one.text, one.link.url if one.link else "") for one in found]


def test_the_month_says_which_hour_how_much_and_what_is_usual_and_leads_to_its_day(cast: Cast) -> None:
    unlike(cast.tenant)
    assert said(cast.tenant) == [
        (
            f"Use unlike before on 12 Mar, 09:00 UTC: {LARGE}.",
            "1.20M tokens in the hour, in which 210.00K are usual: 5.7 times as many.",
            "/t/usage/2026-03-12/?tz=UTC",
        )
    ]
    with override("zh-hans"):
        [(strong, text, _)] = said(cast.tenant, ZH)
    assert (strong, text) == (
        f"3月12日 09:00 UTC 用量异常\N{FULLWIDTH COLON}{LARGE}。",
        "该小时用了 120.00万 词元\N{FULLWIDTH COMMA}平时此时为 21.00万\N{FULLWIDTH COMMA}是平时的 5.7 倍。",
    )
    assert NARROW.search(f"{strong} {text}") is None


def test_an_hour_without_a_usual_use_says_so(cast: Cast) -> None:
    unlike(cast.tenant, usual=0)
    [(_, text, _)] = said(cast.tenant)
    assert text == "1.20M tokens in the hour, in which none are usual."


def test_the_latest_of_a_month_and_all_of_a_day_are_shown_of_the_models_in_sight_and_its_own_side(cast: Cast) -> None:
    for hour in range(SHOWN_MAX + 1):
        unlike(cast.tenant, AT + hour * HOUR, model=SMALL)
    unlike(cast.tenant, AT - HOUR)
    unlike(cast.tenant, APRIL)
    unlike(cast.tenant, MARCH - HOUR)
    unlike(cast.tenant, side="provider")
    unlike(cast.provider)
    assert [strong[-6 - len(SMALL) :] for strong, *_ in said(cast.tenant)] == [f"UTC: {SMALL}."] * SHOWN_MAX
    assert len(said(cast.tenant, is_day=True)) == SHOWN_MAX + 2
    [(strong, _, url)] = said(cast.tenant, model=LARGE, is_day=True)
    assert f"08:00 UTC: {LARGE}" in strong
    assert url == "/t/budgets/#alerts"


def test_pages_say_it_where_the_hour_is_in_sight_as_programs_read_it(cast: Cast, client: Client, month: Month) -> None:
    alert = unlike(cast.tenant)
    client.force_login(cast.alice)
    words = "1.20M tokens in the hour, in which 210.00K are usual"
    for path in ("?month=2026-03", f"?month=2026-03&model={LARGE}", f"model/{LARGE}/?month=2026-03", "2026-03-12/",
                 "2026-03-12/?hour=9"):  # fmt: skip
        assert words in text_of(client.get(f"/t/usage/{path}")), path
    for path in ("?month=2026-02", f"?month=2026-03&model={SMALL}", "?month=2026-03&project=none", "2026-03-11/",
                 "2026-03-12/?hour=8"):  # fmt: skip
        assert words not in text_of(client.get(f"/t/usage/{path}")), path
    now = datetime.now(UTC)
    key = issue_key(organization=cast.tenant, name="Reads", scopes=["usage:read"], actor="tests", now=now)
    headers = {"authorization": f"Bearer {key.secret}"}
    [read] = client.get("/api/v1/alerts", {"kind": "anomaly", "side": "tenant"}, headers=headers).json()["alerts"]
    assert (read["id"], read["used"], read["amount"]) == (str(alert.pk), "1200000", "210000")
    assert read["period_from"] == "2026-03-12T09:00:00Z"


def test_the_days_are_those_of_the_zone_that_is_read_in(cast: Cast) -> None:
    unlike(cast.tenant, datetime(2026, 3, 12, 22, tzinfo=UTC))
    [one] = unlike_notices(cast.tenant, SPAN, "Asia/Shanghai", EN)
    assert "13 Mar, 06:00 CST" in one.strong
    assert one.link is not None
    assert one.link.url == "/t/usage/2026-03-13/?tz=Asia%2FShanghai"
