"""A draft of prices: edited, raised by a percentage, refused where it is wrong, previewed and announced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import PriceDraft, PriceNotice, PriceVersion
from billing.price_versions import prices_by_version
from tests.billing.announced import BEFORE, OUTPUT, dearer, make_used
from tests.billing.pages.reading import text_of
from tests.factories import make_organization, make_price_book, make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.billing.world import World
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@kept
def used(cast: Cast) -> World:
    return make_used(cast, datetime.now(UTC))


@pytest.fixture
def draft(cast: Cast, client: Client, used: World) -> PriceDraft:
    """A draft that petra began from the book in force."""
    client.force_login(cast.petra)
    assert used.book is not None
    answer = client.post("/p/prices/draft/", {"book": str(used.book.id)})
    draft = PriceDraft.objects.get()
    assert answer.headers["Location"] == f"/p/prices/draft/{draft.id}/"
    return draft


def fields(draft: PriceDraft, **changed: str) -> dict[str, str]:
    """What the editor posts as it stands, with some fields changed."""
    prices = [str(row.get("price_per_mtok") or row.get("price_per_gpu_hour")) for row in draft.prices]
    given = {f"price-{place}": price for place, price in enumerate(prices)}
    at = f"{draft.effective_at:%Y-%m-%dT%H:%M}"
    return {**given, "revision": str(draft.revision), "effective_at": at, "action": "save", **changed}


def post(client: Client, draft: PriceDraft, **changed: str) -> Any:
    return client.post(f"/p/prices/draft/{draft.id}/", fields(draft, **changed))


def test_a_draft_begins_with_what_is_in_force_and_is_raised_as_a_whole(
    cast: Cast, client: Client, draft: PriceDraft
) -> None:
    assert "Draft of prices" in text_of(client.get(f"/p/prices/draft/{draft.id}/"))
    assert post(client, draft, percent="34", effective_at="2030-12-01T00:00").status_code == 302
    draft.refresh_from_db()
    assert (draft.revision, draft.effective_at) == (2, datetime(2030, 12, 1, tzinfo=UTC))
    assert {row.get("price_per_mtok") or row.get("price_per_gpu_hour") for row in draft.prices} == {
        f"{price.normalize():f}" for price in dearer(BEFORE).values()
    }
    page = text_of(client.get(f"/p/prices/draft/{draft.id}/"))
    assert page.count("+34.0%") == 3
    assert not PriceNotice.objects.exists()


def test_a_name_that_nothing_has_is_asked_about_before_it_is_announced(client: Client, draft: PriceDraft) -> None:
    assert "New names." not in text_of(client.get(f"/p/prices/draft/{draft.id}/"))
    new = {"new-model-0": "no-such-model", "new-what-0": "per_mtok|output", "new-price-0": "2.2"}
    assert post(client, draft, **new).status_code == 302
    for page in (f"/p/prices/draft/{draft.id}/", f"/p/prices/draft/{draft.id}/announce/"):
        assert "New names." in text_of(client.get(page))


def test_prices_are_added_and_taken_out(cast: Cast, client: Client, draft: PriceDraft) -> None:
    new = {"new-model-0": "sample-large", "new-what-0": "per_mtok|output", "new-over-0": "200000", "new-price-0": "2.2"}
    more = {"new-what-1": "factor|batch", "new-price-1": "0.5"}
    assert post(client, draft, **new, **more, **{"price-0": ""}).status_code == 302
    draft.refresh_from_db()
    assert {"mark": "batch", "factor": "0.5"} in draft.prices
    assert {
        "model": "sample-large",
        "quantity": "output",
        "context_over": 200_000,
        "price_per_mtok": "2.2",
    } in draft.prices
    assert not any("price_per_gpu_hour" in row for row in draft.prices)
    page = text_of(client.get(f"/p/prices/draft/{draft.id}/"))
    assert "usage would wait for one" in page
    assert "× 0.5" in page or "Batch, times the price" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"price-1": "cheap"}, "Enter a price. Example: 0.98"),
        ({"price-1": "-1"}, "a price is at least 0"),
        ({"effective_at": "soon"}, "Enter a valid date/time"),
        ({"percent": "-101"}, "greater than or equal to -100"),
        ({"new-model-0": "m", "new-what-0": "per_mtok|output", "new-price-0": ""}, "Enter a price"),
        ({"new-what-0": "per_mtok|output", "new-price-0": "1"}, "it names what it is the price of"),
        (
            {"new-model-0": "sample-large", "new-what-0": "per_mtok|output", "new-price-0": "1"},
            "This price is in the list already",
        ),
        (
            {
                "new-model-0": "m",
                "new-what-0": "per_mtok|output",
                "new-over-0": "200000",
                "new-price-0": "1",
            },
            "none for shorter requests",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is_and_nothing_is_stored(
    cast: Cast, client: Client, changed: dict[str, str], said: str, draft: PriceDraft
) -> None:
    answer = post(client, draft, **changed)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert PriceDraft.objects.get().revision == 1


def test_a_draft_that_somebody_else_changed_is_not_overwritten(cast: Cast, client: Client, draft: PriceDraft) -> None:
    assert post(client, draft, percent="10").status_code == 302
    late = post(client, draft, percent="20")
    assert late.status_code == 422
    assert "The draft is at revision 2" in text_of(late)
    assert client.post(f"/p/prices/draft/{draft.id}/announce/", {"revision": "1"}).status_code == 409


def test_a_draft_is_thrown_away(cast: Cast, client: Client, draft: PriceDraft) -> None:
    assert post(client, draft, action="discard").status_code == 302
    assert not PriceDraft.objects.exists()
    assert client.get(f"/p/prices/draft/{draft.id}/").status_code == 404


def test_the_preview_says_what_each_contract_would_pay_and_announcing_tells_it(
    cast: Cast, client: Client, draft: PriceDraft
) -> None:
    answer = post(client, draft, percent="34", action="announce")
    announce = f"/p/prices/draft/{draft.id}/announce/"
    assert answer.headers["Location"] == announce
    page = text_of(client.get(announce))
    assert "$1,000.00" in page
    assert "$1,340.00" in page
    assert "+$340.00" in page
    done = client.post(announce, {"revision": "2"})
    version = PriceVersion.objects.get(number=2)
    assert done.headers["Location"] == f"/p/prices/v/{version.id}/"
    told = "Published. 1 contract is told on its own pages; no mail server is set."
    assert told in text_of(client.get(done.headers["Location"]))
    assert prices_by_version([version.id])[version.id][OUTPUT] == Decimal("1.474")
    assert PriceNotice.objects.get().takes_effect_at == draft.effective_at
    again = [client.get(announce), client.post(announce, {"revision": "2"}), client.get(f"/p/prices/draft/{draft.id}/")]
    assert {(one.status_code, one.headers.get("Location")) for one in again} == {(302, done.headers["Location"])}
    assert PriceVersion.objects.count() == version.number
    client.force_login(make_user("pat@example.com", make_organization("elsewhere", is_provider=True)))
    assert [client.get(one.request["PATH_INFO"]).status_code for one in again] == [404, 404, 404]


def test_an_instant_that_another_version_has_is_said_before_and_refused(client: Client, draft: PriceDraft) -> None:
    taken = PriceVersion.objects.get().effective_at
    assert post(client, draft, effective_at=f"{taken:%Y-%m-%dT%H:%M:%S}").status_code == 302
    announce = f"/p/prices/draft/{draft.id}/announce/"
    said = "Not published. In force from: "
    for answer, status in ((client.get(announce), 200), (client.post(announce, {"revision": "2"}), 409)):
        assert answer.status_code == status
        assert said in text_of(answer)
        assert "has a version from" in text_of(answer)
        assert "Example: " in text_of(answer)
    assert PriceVersion.objects.count() == 1


def test_what_is_counted_already_keeps_its_price(cast: Cast, client: Client, draft: PriceDraft) -> None:
    past = f"{datetime.now(UTC) - 5 * DAY:%Y-%m-%dT%H:%M}"
    assert post(client, draft, percent="34", effective_at=past).status_code == 302
    announce = f"/p/prices/draft/{draft.id}/announce/"
    assert "In force at once" in text_of(client.get(announce))
    refused = client.post(announce, {"revision": "2"})
    assert refused.status_code == 409
    assert "keeps the price that it was counted at" in text_of(refused)
    assert PriceVersion.objects.count() == 1


def test_a_first_list_tells_nobody(cast: Cast, client: Client) -> None:
    book = make_price_book(cast.provider)
    client.force_login(cast.petra)
    client.post("/p/prices/draft/", {"book": str(book.id)})
    draft = PriceDraft.objects.get()
    new = {"new-model-0": "H100", "new-what-0": "per_gpu_hour|", "new-price-0": "1.94"}
    assert post(client, draft, **new, action="announce").status_code == 302
    assert "nobody has to be told" in text_of(client.get(f"/p/prices/draft/{draft.id}/announce/"))
    assert client.post(f"/p/prices/draft/{draft.id}/announce/", {"revision": "2"}).status_code == 302
    assert PriceVersion.objects.get(book=book).number == 1


def test_another_providers_draft_is_not_there(cast: Cast, client: Client, draft: PriceDraft) -> None:
    client.force_login(cast.charlie)
    for path in (f"/p/prices/draft/{draft.id}/", f"/p/prices/draft/{draft.id}/announce/"):
        assert client.get(path).status_code == client.post(path, fields(draft)).status_code == 404
    assert client.post("/p/prices/draft/", {"book": str(draft.book_id)}).status_code == 404
