from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import Invoice
from tests.billing.issued import make_issued
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def invoice(cast: Cast) -> Invoice:
    return make_issued(parties=(cast.provider, cast.tenant))


@pytest.mark.parametrize(("person", "side"), [("alice", "tenant"), ("petra", "provider")])
def test_a_span_of_days_is_chosen_and_saved(cast: Cast, person: str, side: str, invoice: Invoice) -> None:
    client = Client()
    client.force_login(getattr(cast, person))
    page = client.get(reverse(f"{side}-exports")).content.decode()
    file = reverse(f"{side}-exports-focus")
    assert f'action="{file}"' in page
    # The wrong way round is the same span.
    for query in ({"from": "2026-04-03", "to": "2026-04-03"}, {"from": "2026-04-30", "to": "2026-04-01"}):
        answer = client.get(file, query)
        text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
        assert str(invoice.number) in text
    assert client.get(file, {"from": "2026-04-01", "to": "soon"}).status_code == 404
