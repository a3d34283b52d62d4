"""Reads pages and files of the portal as tests need them."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase


def text_of(page: HttpResponseBase) -> str:
    """The words of a page, tags left out and blanks made one."""
    content: bytes = getattr(page, "content")  # noqa: B009  every page that is not streamed has it
    plain = re.sub(r"<(script|style|title)\b.*?</\1>|<[^>]+>", " ", content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(plain))


def rows_of(answer: HttpResponseBase) -> list[dict[str, str]]:
    """The rows of a CSV file by its head."""
    chunks: list[bytes] = list(getattr(answer, "streaming_content"))  # noqa: B009  only streams have it
    return list(csv.DictReader(io.StringIO(b"".join(chunks).decode(), newline="")))
