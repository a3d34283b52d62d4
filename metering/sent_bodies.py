"""What a gateway or another program sends: plain or compressed by gzip, bounded before and after it is inflated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.bodies import BodyTooLarge, read_body
from metering.gzip_bodies import InflatesTooLarge, NotGzip, gunzip
from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest


class BodyUnreadable(Problem):
    """What is said to be gzip is none."""

    status = 400
    code = "body_unreadable"
    title = "The body cannot be decompressed"


class EncodingNotTaken(Problem):
    """A `Content-Encoding` that is not taken here."""

    status = 415
    code = "encoding_not_taken"
    title = "The encoding of the body is not taken here"


def read_sent(request: HttpRequest, limit: int) -> bytes:
    """Return the body as it was before compression: at most `limit` bytes, as they came and inflated.

    Raises BodyTooLarge, BodyUnreadable, EncodingNotTaken.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise EncodingNotTaken(f"Content-Encoding {encoding[:60]!r}; expected gzip or none.")
    body = read_body(request, limit)
    if encoding != "gzip":
        return body
    try:
        return gunzip(body, limit)
    except NotGzip as broken:
        raise BodyUnreadable(f"The body is not one whole gzip member: {broken}.") from broken
    except InflatesTooLarge as refused:
        detail = f"The body inflates to more; at most {limit} bytes are taken here."
        raise BodyTooLarge(detail, limit=limit) from refused
