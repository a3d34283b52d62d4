"""Forms with files: a large one is refused before it is read, whoever sends it; each file has a limit of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from billing.banking.entries import DOCUMENT_BYTES_MAX
from billing.models import BankImport
from billing.price_index import FILE_BYTES_MAX
from billing.revenue_csv import BYTES_MAX
from forecourt.errors import bad_request
from forecourt.uploads import FORM_BYTES_MAX, FormTooLarge
from tenants.logos import LOGO_BYTES_MAX
from tests.billing.banking.statements import IBAN, make_account

if TYPE_CHECKING:
    from tests.factories import Cast

HEAD = b"booked_on,amount,currency,text\n"


class Unread:
    """A body of which nothing may be read."""

    def read(self, *_size: int) -> bytes:
        raise AssertionError("a part of it was read")


def request_of(length: int) -> Any:
    request: Any = RequestFactory().post("/", data=b"-", content_type="multipart/form-data; boundary=b")
    request.META["CONTENT_LENGTH"] = str(length)
    request._stream = Unread()  # what Django reads a request from
    return request


def test_what_declares_too_much_is_refused_unread() -> None:
    with pytest.raises(RequestDataTooBig):
        _ = request_of(FORM_BYTES_MAX + 1).FILES
    with pytest.raises(AssertionError, match="a part of it was read"):
        _ = request_of(FORM_BYTES_MAX).FILES


def test_every_file_that_a_form_takes_fits_into_one() -> None:
    largest = max(DOCUMENT_BYTES_MAX, FILE_BYTES_MAX, BYTES_MAX, LOGO_BYTES_MAX)
    assert largest + 2**19 < FORM_BYTES_MAX < 2 * largest


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/sign-in/", "/p/bank/", "/i18n/setlang/"])
def test_a_stranger_fills_no_disk(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/sign-in/")  # whoever may read the form may send it
    large = SimpleUploadedFile("large.bin", b"x" * (FORM_BYTES_MAX + 1))
    answer = client.post(path, {"document": large})
    assert answer.status_code == 413
    assert "A form may have at most 9 MiB, its files included." in answer.content.decode()


@pytest.mark.django_db
def test_fields_alone_have_a_smaller_limit_and_programs_are_told_it_too(client: Client) -> None:
    fields = {"language": "x" * (int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + 1)}
    answer = client.post("/i18n/setlang/", urlencode(fields), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert "A form may have at most 2.5 MiB" in answer.content.decode()
    told = bad_request(RequestFactory().post("/api/v1/usage"), FormTooLarge())
    assert told.status_code == 413
    assert json.loads(told.content)["limit"] == FORM_BYTES_MAX


@pytest.mark.django_db
def test_a_file_at_its_limit_is_taken_and_a_byte_more_is_refused_at_its_field(cast: Cast, client: Client) -> None:
    make_account(cast.provider)
    client.force_login(cast.petra)
    for more, status in ((1, 422), (0, 302)):
        row = b"2026-04-14,5.00,USD,tip\n"
        filler = b"\n" * (DOCUMENT_BYTES_MAX + more - len(HEAD) - len(row))
        document = SimpleUploadedFile("statement.csv", HEAD + row + filler)
        answer = client.post("/p/bank/", {"document": document, "account": IBAN})
        assert answer.status_code == status
        assert ("at most 8 MiB" in answer.content.decode()) is (status == 422)
    assert BankImport.objects.count() == 1
