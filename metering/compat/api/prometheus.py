"""Prometheus' remote write, 1.0 and 2.0: 204 for what was taken, 400 for what never can be, 415, 413, 503."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import HttpResponse
from django.utils import timezone

from clusters.bodies import BodyTooLarge, read_body
from metering.admission import ingest_gate
from metering.compat.callers import WRITE, endpoint, key_of
from metering.compat.collecting import collect_series, count_refused
from metering.compat.remote_write import BYTES_MAX, V1, V2, Call, NotRemoteWrite, TooMuch, inflate, read_call
from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest

    from metering.compat.samples import Tally

SOURCE: Final = "prometheus"
MEDIA: Final = "application/x-protobuf"
WRITTEN: Final = "X-Prometheus-Remote-Write-{}-Written"


class MediaNotOffered(Problem):
    """Another media type, message or encoding."""

    status = 415
    code = "media_not_offered"
    title = "The media type is not offered here"


class WriteUnreadable(Problem):
    """The body is not what its headers say."""

    status = 400
    code = "write_malformed"
    title = "The call cannot be read"


class WriteTooLarge(Problem):
    """More bytes, series or samples than a call may have."""

    status = 413
    code = "write_too_large"
    title = "The call is too large"


def refuse(problem: Problem) -> HttpResponse:
    """Return a refusal in plain text, which Prometheus logs."""
    return HttpResponse(f"{problem.detail}\n", status=problem.status, content_type="text/plain; charset=utf-8")


def write(request: HttpRequest) -> HttpResponse:
    """Take the samples of one call."""
    now = timezone.now()
    key = key_of(request, WRITE, now)
    try:
        call = _read(request)
    except (Problem, BodyTooLarge) as problem:
        count_refused(key=key, source=SOURCE, code=problem.code, now=now)
        raise
    tally = collect_series(
        key=key,
        source=SOURCE,
        series=call.series,
        faults=call.faults,
        cluster=request.GET.get("cluster", ""),
        now=now,
    )
    response = _answer(tally)
    response[WRITTEN.format("Samples")] = str(tally.taken)
    # What no register is read from was taken in as much as it ever will be; told as unwritten it would be an error.
    response[WRITTEN.format("Histograms")] = str(call.histograms)
    response[WRITTEN.format("Exemplars")] = str(call.exemplars)
    return response


def _answer(tally: Tally) -> HttpResponse:
    if not tally.faults:
        return HttpResponse(status=204)
    text = f"{tally.invalid} samples refused, {tally.conflicts} in conflict; all others are taken:\n"
    return HttpResponse(
        text + "".join(f"{fault}\n" for fault in tally.faults), status=400, content_type="text/plain; charset=utf-8"
    )


def _read(request: HttpRequest) -> Call:
    message = message_of(request.headers.get("Content-Type", ""))
    encoding = request.headers.get("Content-Encoding", "")
    if encoding.strip().lower() not in {"", "snappy"}:
        raise MediaNotOffered(f"Content-Encoding {encoding[:60]!r}; expected snappy")
    try:
        return read_call(message, inflate(read_body(request, BYTES_MAX)))
    except NotRemoteWrite as refused:
        raise WriteUnreadable(str(refused)) from refused
    except TooMuch as refused:
        raise WriteTooLarge(str(refused)) from refused


def message_of(content_type: str) -> str:
    """Return which message a media type announces; none at all is 1.0, as older senders leave it out."""
    media, *parameters = [part.strip() for part in content_type.split(";")]
    named = [part.partition("=")[2].strip().strip('"') for part in parameters if part.lower().startswith("proto")]
    message = named[0] if named else V1
    if media.lower() not in {"", MEDIA} or message not in {V1, V2}:
        raise MediaNotOffered(f"Content-Type {content_type[:100]!r}; expected {MEDIA}; proto={V1} or {V2}")
    return message


remote_write = endpoint(refuse, gate=ingest_gate, POST=write)
