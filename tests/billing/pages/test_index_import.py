"""Importing public prices by page and by API: shown first, taken on a second word, by the operator alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.models import IndexImport, IndexPrice, IndexSource
from billing.pages.index_import import packed, unpacked
from billing.price_index import FILE_BYTES_MAX, import_prices
from tenants.models import AuditEntry
from tests.billing.litellm_sample import ENTRIES, price_file
from tests.billing.pages.reading import text_of
from tests.billing.pages.sending import sent_by_a_browser
from tests.factories import make_user
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

PLACE = "/o/price-index/"


@pytest.fixture
def operator(cast: Cast, client: Client) -> Client:
    client.force_login(make_user("olga@example.com", cast.operator))
    return client


def dearer() -> bytes:
    return price_file({**ENTRIES, "sample-large": {**ENTRIES["sample-large"], "output_cost_per_token": 1.474e-06}})


def upload(client: Client, content: bytes, **changed: Any) -> Any:
    today = datetime.now(UTC).date().isoformat()
    document = SimpleUploadedFile("prices.json", content)
    return client.post(PLACE, {"source": "litellm", "as_of": today, "document": document, **changed})


def test_a_file_is_shown_with_what_it_changes_and_taken_on_a_second_word(cast: Cast, operator: Client) -> None:
    assert "No public prices yet" in text_of(operator.get(PLACE))
    now = datetime.now(UTC)
    import_prices(source=IndexSource.LITELLM, content=price_file(), as_of=(now - timedelta(days=9)).date(), now=now)
    shown = upload(operator, dearer())
    assert "1 rose, 0 fell, 0 new, 0 gone" in text_of(shown)
    assert "+34.0%" in text_of(shown)
    assert IndexImport.objects.count() == 1
    sent = sent_by_a_browser(shown.content.decode())
    assert "The prices are taken." in text_of(operator.post(PLACE, sent, follow=True))
    made = IndexImport.objects.latest("imported_at")
    assert made.prices.count() == IndexPrice.objects.count() / 2 == 10
    noted = AuditEntry.objects.get(action="price_index.imported")
    assert noted.after is not None
    assert (noted.organization, noted.actor, noted.after["prices"]) == (cast.operator, "olga@example.com", 10)
    operator.post(PLACE, sent)
    assert IndexImport.objects.count() == 2
    assert "This very file was taken before" in text_of(upload(operator, dearer()))


@pytest.mark.parametrize(
    ("content", "changed", "said"),
    [
        (b"nothing", {}, "JSON"),
        (b"[]", {}, "object"),
        (price_file(), {"as_of": "2999-01-01"}, "lies in the future"),
        (price_file(), {"source": "elsewhere"}, "not one of the available choices"),
        (b"x" * (FILE_BYTES_MAX + 1), {}, "at most 8 MiB"),
    ],
)
def test_what_cannot_be_taken_says_why_and_keeps_nothing(
    operator: Client, content: bytes, changed: dict[str, str], said: str
) -> None:
    answer = upload(operator, content, **changed)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not IndexImport.objects.exists()


def test_a_file_comes_back_whole_or_not_at_all(operator: Client) -> None:
    assert unpacked(packed(dearer())) == dearer()
    for broken in ("", "%%", packed(dearer())[:40], packed(b"x" * (FILE_BYTES_MAX + 1))):
        with pytest.raises(ValidationError):
            unpacked(broken)
    answer = operator.post(PLACE, {"source": "litellm", "as_of": "2026-01-01", "packed": "%%"})
    assert answer.status_code == 422
    assert "choose it again" in text_of(answer)


def test_programs_of_the_operator_do_the_same(cast: Cast, client: Client) -> None:
    body = {"source": "litellm", "as_of": "2026-03-01", "document": price_file().decode(), "dry_run": True}

    def send(organization: Any, **changed: Any) -> Any:
        headers = {"Authorization": f"Bearer {api_key(organization)}"}
        return client.post("/api/v1/price-index", {**body, **changed}, content_type="application/json", headers=headers)

    assert send(cast.provider).status_code == 404
    tried = send(cast.operator).json()
    assert (tried["prices"], tried["since"], tried["taken"]) == (10, None, False)
    assert not IndexImport.objects.exists()
    assert send(cast.operator, dry_run=False).json()["taken"] is True
    later = send(cast.operator, dry_run=False, as_of="2026-03-02", document=dearer().decode()).json()
    assert (later["rose"], later["since"]) == (1, "2026-03-01")
    assert send(cast.operator, as_of="2026-03-02", document=dearer().decode()).json()["taken"] is True
    wrong = send(cast.operator, document="{}")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_price_file")
