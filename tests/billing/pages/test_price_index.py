"""A provider's prices beside public ones, a search in those, and what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import translation

from billing.models import IndexSource
from billing.pages.price_index import _mark
from billing.price_index import import_prices
from billing.pricing import publish_prices
from billing.rating.price_lists import PriceKey
from billing.rating.rated import PriceUnit
from tests.billing.announced import BEFORE
from tests.billing.litellm_sample import ENTRIES, price_file
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_price_book

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

GPU_TABLE = Path(__file__).parents[3] / "docs" / "data" / "gpu-hour-prices.csv"
DAY = timedelta(days=1)


def imported(now: datetime) -> None:
    """Two imports of models and one of cards."""
    dearer: dict[str, Any] = {**ENTRIES["sample-large"], "output_cost_per_token": 1.474e-06}
    later = price_file({**ENTRIES, "sample-large": dearer})
    for days, content in ((9, price_file()), (2, later)):
        import_prices(source=IndexSource.LITELLM, content=content, as_of=(now - days * DAY).date(), now=now)
    import_prices(source=IndexSource.GPU_HOURS, content=GPU_TABLE.read_bytes(), as_of=now.date(), now=now)


def test_own_prices_stand_beside_the_market(cast: Cast, client: Client) -> None:
    now = datetime.now(UTC)
    imported(now)
    book = make_price_book(cast.provider)
    other = PriceKey(PriceUnit.PER_MTOK, "nobody-elses", "output")
    publish_prices(book=book, effective_at=now - DAY, prices={**BEFORE, other: Decimal(3)}, now=now)
    client.force_login(cast.petra)
    page = text_of(client.get("/p/price-index/"))
    # Output: 0.90 and 1.474, the middle 1.187; ours is 1.10.
    assert "$1.187" in page
    assert "-7.3%" in page.replace("\N{MINUS SIGN}", "-")
    assert "cheap-cloud" in page
    assert "$3.92" in page  # the middle of ten prices of an H100 on demand: of 3.85 and 3.99
    assert "1 rose, 0 fell, 0 new, 0 gone" in page
    assert "+34.0%" in page
    assert "nobody-elses" in page


def test_public_prices_are_searched_and_exported(cast: Cast, client: Client) -> None:
    imported(datetime.now(UTC))
    client.force_login(cast.petra)
    page = text_of(client.get("/p/price-index/?q=sample-image"))
    assert "$0.04" in page
    assert "No public price has this in its name." in text_of(client.get("/p/price-index/?q=zzz"))
    rows = rows_of(client.get("/p/price-index.csv?q=sample-image"))
    assert [(row["price"], row["unit"], row["source"]) for row in rows] == [("0.04", "per_image", "litellm")]
    assert len(rows_of(client.get("/p/price-index.csv"))) > 30


def test_without_an_import_the_page_says_how_to_begin(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "The operator of this installation imports them." in text_of(client.get("/p/price-index/"))


def test_what_was_left_out_is_shown(cast: Cast, client: Client) -> None:
    content = price_file({**ENTRIES, "odd-model": {"litellm_provider": "p", "input_cost_per_token": None}})
    now = datetime.now(UTC)
    import_prices(source=IndexSource.LITELLM, content=content, as_of=now.date(), now=now)
    client.force_login(cast.petra)
    page = text_of(client.get("/p/price-index/"))
    assert "odd-model: input_cost_per_token" in page
    assert "This is the first import of this source." in page


def test_many_changes_are_counted_and_the_largest_shown_in_the_readers_words(cast: Cast, client: Client) -> None:
    now = datetime.now(UTC)
    plain: dict[str, Any] = {"litellm_provider": "sample-lab", "mode": "chat"}
    free = {f"free-{number}": {**plain, "note": "no price"} for number in range(2)}
    many = {f"many-{number}": {**plain, "input_cost_per_token_batches": 2e-7} for number in range(1_100)}
    dearer = {name: {**plain, "input_cost_per_token_batches": 3e-7} for name in many}
    for days, content in ((9, price_file({**many, **free})), (2, price_file({**dearer, **free}))):
        import_prices(source=IndexSource.LITELLM, content=content, as_of=(now - days * DAY).date(), now=now)
    client.force_login(cast.petra)
    page = text_of(client.get("/p/price-index/"))
    assert "1,100 rose, 0 fell, 0 new, 0 gone" in page
    assert "The largest 50 of 1,100 changes." in page
    assert "Input, per 1M tokens · Batch" in page
    chinese = text_of(client.get("/p/price-index/", headers={"Accept-Language": "zh-hans"}))
    assert "仅列出最大的 50 项" in chinese
    assert "每百万词元 · 批量" in chinese
    assert "没有可比较的价格" in chinese
    assert "compared here" not in chinese
    assert "按需" in mark_in("zh-hans", "on_demand")
    assert mark_in("en", "unheard_of") == "unheard_of"


def mark_in(language: str, mark: str) -> str:
    with translation.override(language):
        return _mark(mark)
