"""A term that cannot be is refused at its field of the form, in words and with an example; what was typed stays."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING

import pytest

from billing.models import Amendment
from tests.billing.agreements.agreed import PRICES
from tests.billing.world import H100, MODEL, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

YEAR = datetime.now(UTC).year + 1
"""Times that are twice, or never, in Berlin are looked for in it."""
STARTS = f"{YEAR}-05-03T00:00"
LEASE = {"w-accelerator_model": H100, "w-price_per_gpu_hour": "2", "cards": "1", "from_at": STARTS}
SHARE = {"from_at": STARTS, "w-witness": "gateway", "w-share_percent": "20"}
PRICE = {"from_at": STARTS, "w-witness": "gateway"}
TIERS = {
    "w-tiers.0.name": "in",
    "w-tiers.0.quantities": "Input",
    "w-tiers.0.mode": "graduated",
    "w-tiers.0.span": "period",
    "w-tiers.0.price_unit": "per_mtok",
}


def twice() -> str:
    """Half past two on the last Sunday of October, which Berlin has twice."""
    last = max(day for day in range(25, 32) if datetime(YEAR, 10, day, tzinfo=UTC).weekday() == 6)
    return f"{YEAR}-10-{last}T02:30"


@kept
def world(cast: Cast) -> World:
    made = make_world(tokens=PRICES, gpus={H100: "2"}, time_zone="Europe/Berlin", parties=(cast.provider, cast.tenant))
    made.make_slices(2)
    return made


def refused(client: Client, world: World, kind: str, fields: dict[str, str], language: str) -> str:
    answer = client.post(
        f"/p/contracts/{world.contract.id}/amend/?kind={kind}",
        {"kind": kind, **fields},
        headers={"accept-language": language},
    )
    assert answer.status_code == 422
    assert not Amendment.objects.exists()
    return unescape(answer.content.decode())


@pytest.mark.parametrize(
    ("kind", "fields", "field", "english", "chinese"),
    [
        (
            "lease",
            {**LEASE, "from_at": twice()},
            "from_at",
            f"since clocks go back in Europe/Berlin then. Example: {twice()}:00+02:00 or {twice()}:00+01:00",
            f"那时拨慢时钟。示例\N{FULLWIDTH COLON}{twice()}:00+02:00 或 {twice()}:00+01:00",
        ),
        (
            "lease",
            {**LEASE, "to_at": STARTS},
            "to_at",
            "the time would be empty. Example: ",
            "否则时间为空。示例\N{FULLWIDTH COLON}",
        ),
        (
            "lease",
            {**LEASE, "w-price_per_gpu_hour": "-2"},
            "w-price_per_gpu_hour",
            "must not be negative, and is -2. Example: 2.35",
            "得到的是 -2。示例\N{FULLWIDTH COLON}2.35",
        ),
        (
            "lease",
            {**LEASE, "w-price_per_gpu_hour": "two"},
            "w-price_per_gpu_hour",
            "This is no number. Example: 2.35",
            "这不是数字。示例\N{FULLWIDTH COLON}2.35",
        ),
        (
            "lease",
            {**LEASE, "w-early_end_notice_days": "30"},
            "w-early_end_notice_days",
            "belongs to “ended early: paid until the notice is over”, which needs it. Example: 30",
            "属于“提前终止\N{FULLWIDTH COLON}付至通知期满”",
        ),
        (
            "lease",
            {**LEASE, "w-accelerator_model": "NVIDIA H1000"},
            "w-accelerator_model",
            f"Example: {H100}",
            f"示例\N{FULLWIDTH COLON}{H100}",
        ),
        (
            "token_share",
            {**SHARE, "w-share_percent": "100.5"},
            "w-share_percent",
            "100.5 is not above 0 and at most 100. Example: 30",
            "示例\N{FULLWIDTH COLON}30",
        ),
        (
            "token_share",
            {
                **SHARE,
                "w-share_percent": "",
                "w-tiers.0.from_base_amount": "0",
                "w-tiers.0.to_base_amount": "1000",
                "w-tiers.0.share_percent": "30",
                "w-tiers.1.from_base_amount": "2000",
                "w-tiers.1.share_percent": "20",
            },
            "w-tiers.1.from_base_amount",
            "Row 2, base from: No tier is between 1000 and 2000. Example: base from 0, base below 1000000",
            "1000 与 2000 之间没有分档。示例\N{FULLWIDTH COLON}基数起点 0",
        ),
        (
            "token_price",
            {**PRICE, **TIERS, "w-tiers.0.tiers": "1000 3 –; 500 2 –; – 1 –"},
            "w-tiers.0.tiers",
            "Row 1, tiers: Row 2, up to, units: 500 does not lie above 1000. Example: 1000000, 10000000, –",
            "示例\N{FULLWIDTH COLON}1000000, 10000000, –",
        ),
        (
            "token_price",
            {
                **PRICE,
                "w-allowances.0.name": "free",
                "w-allowances.0.quantities": "input",
                "w-allowances.0.units_per_period": "-5",
            },
            "w-allowances.0.units_per_period",
            "-5 is negative. Example: 1000000",
            "-5 是负数。示例\N{FULLWIDTH COLON}1000000",
        ),
        (
            "token_price",
            {
                **PRICE,
                "w-prices.0.model": f"{MODEL}x",
                "w-prices.0.quantity": "input",
                "w-prices.0.price": "1",
                "w-prices.0.price_unit": "per_request",
            },
            "w-prices.0.model",
            "is priced “per 1M tokens”, not “per request”. Example: “per 1M tokens”",
            "示例\N{FULLWIDTH COLON}“每百万词元”",
        ),
    ],
)
def test_a_field_says_what_is_wrong_with_an_example_and_keeps_what_was_typed(
    cast: Cast,
    client: Client,
    world: World,
    *,
    kind: str,
    fields: dict[str, str],
    field: str,
    english: str,
    chinese: str,
) -> None:
    client.force_login(cast.petra)
    for language, words in (("en", english), ("zh-hans", chinese)):
        page = refused(client, world, kind, fields, language)
        assert words in page
        at = page.index(f'name="{field}"')
        shown = page[page.rindex("<", 0, at) : page.index(">", at)]
        assert f'value="{fields[field]}"' in shown, shown
