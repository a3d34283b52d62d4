"""The pages of certified revenue: the tenant uploads a file, both see its check and download it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.charging import ensure_periods
from billing.models import RevenueStatement
from billing.revenue_csv import BYTES_MAX
from metering.models import Witness
from tenants.models import Membership, Role
from tests.billing.pages.reading import text_of
from tests.billing.sharing import share
from tests.billing.world import APRIL, MODEL, Shared, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FILE = b"item,amount,currency\nsample-model,95.00,USD\n"


@kept
def shared(cast: Cast) -> Shared:
    world = make_world(tokens={(MODEL, "output"): "1"}, parties=(cast.provider, cast.tenant))
    made = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": 21})
    made.use({"output": 100_000_000})
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=1))
    return made


def upload(client: Client, shared: Shared, content: bytes = FILE, **changed: Any) -> Any:
    what = f"{shared.term.ref} 2026-03-01T00:00:00+00:00"
    document = SimpleUploadedFile("march.csv", content, content_type="text/csv")
    return client.post("/t/revenue/", {"what": what, "certified_by": "Ada Example", "document": document, **changed})


def test_a_tenant_uploads_and_both_see_the_check(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.alice)
    assert "Late, estimated" in text_of(client.get("/t/revenue/"))
    answer = upload(client, shared)
    assert answer.headers["Location"] == "/t/revenue/"
    page = text_of(client.get("/t/revenue/"))
    assert "The statement is kept." in page
    assert "Outside tolerance" in page
    assert "Ada Example" in page
    statement = RevenueStatement.objects.get()
    assert bytes(statement.document) == FILE
    assert client.get(f"/t/revenue/{statement.id}.csv").content == FILE
    upload(client, shared)
    assert "This very statement was there already." in text_of(client.get("/t/revenue/"))
    client.force_login(cast.petra)
    page = text_of(client.get("/p/revenue/"))
    assert "$95.00" in page
    assert "Certify this statement" not in page
    assert client.get(f"/p/revenue/{statement.id}.csv").content == FILE


def test_a_statement_within_the_tolerance_is_stated(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.alice)
    upload(client, shared, FILE.replace(b"95.00", b"99.00"))
    page = text_of(client.get("/t/revenue/"))
    assert "Stated" in page
    assert "Outside tolerance" not in page


def test_what_no_list_price_values_is_not_called_outside(cast: Cast, client: Client) -> None:
    world = make_world(tokens={("another-model", "output"): "1"}, parties=(cast.provider, cast.tenant))
    made = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": 21})
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=1))
    client.force_login(cast.alice)
    upload(client, made)
    page = text_of(client.get("/t/revenue/"))
    assert "Nothing to compare with" in page
    assert "no metered token has a list price" in page
    assert "Outside tolerance" not in page


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ((b"nothing", {}), "The columns are item, amount, currency."),
        ((FILE, {"certified_by": ""}), "This field is required."),
        ((FILE, {"what": "S-0000"}), "is not one of the available choices"),
        ((b"x" * (BYTES_MAX + 1), {}), "at most 1 MiB"),
    ],
)
def test_a_wrong_upload_says_what_is_wrong(
    cast: Cast, client: Client, shared: Shared, posted: tuple[bytes, dict[str, str]], said: str
) -> None:
    client.force_login(cast.alice)
    content, changed = posted
    answer = upload(client, shared, content, **changed)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not RevenueStatement.objects.exists()


def test_who_only_reads_uploads_nothing(cast: Cast, client: Client, shared: Shared) -> None:
    Membership.objects.filter(user=cast.bob).update(role=Role.VIEWER)
    client.force_login(cast.bob)
    assert "Certify this statement" not in text_of(client.get("/t/revenue/"))
    assert upload(client, shared).status_code == 403


def test_without_such_a_share_the_page_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "Nothing is due" in text_of(client.get("/t/revenue/"))
    client.force_login(cast.petra)
    assert "Nothing is due" in text_of(client.get("/p/revenue/"))
