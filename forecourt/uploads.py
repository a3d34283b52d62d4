"""How large a form with files may be: what is larger is refused before any of it is kept.

Django reads a form with files whole, and puts what is large on disk, before any page says who may send what: without a
limit a stranger could fill the disk by the page of signing in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

FORM_BYTES_MAX: Final = 9 * 2**20
"""The largest file that a form takes (8 MiB), and room for the fields beside it."""


class FormTooLarge(RequestDataTooBig):
    """A form with files declares more bytes than are taken."""


def limit_passed(error: RequestDataTooBig) -> int:
    """Return how many bytes the refused form could have had: one with files more than one of fields alone."""
    return FORM_BYTES_MAX if isinstance(error, FormTooLarge) else int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


class BoundedForms(FileUploadHandler):
    """Stands before Django's own handlers of files: it keeps nothing, and lets nothing large by."""

    def handle_raw_input(
        self,
        input_data: Any,  # noqa: ARG002
        META: dict[str, Any],  # noqa: ARG002, N803
        content_length: int,
        boundary: str,  # noqa: ARG002
        encoding: str | None = None,  # noqa: ARG002
    ) -> None:
        """Look at the length that a request declares; no more than that is read of it. Raises FormTooLarge."""
        if content_length > FORM_BYTES_MAX:
            raise FormTooLarge(f"A form of {content_length} bytes, more than {FORM_BYTES_MAX}.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002  Django's signature
        """Hand a part of a file on."""
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:  # noqa: ARG002  Django's signature
        """Leave the file to the next handler."""
        return None
