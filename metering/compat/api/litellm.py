"""LiteLLM's generic logger: `POST` of its call logs, answered at once, refused only for what is no log at all."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from metering.compat.callers import WRITE, endpoint, key_of
from metering.compat.litellm_logs import NotLogs, read_logs
from metering.compat.taking import count_refused, take_reports
from metering.sent_bodies import read_sent
from tenants.problem_response import problem_answer
from tenants.problems import Problem

INPUT: Final = "litellm"
BYTES_MAX: Final = 16 << 20
"""512 calls with their prompts and answers, which are passed over."""


class LogsUnreadable(Problem):
    """The body is neither JSON nor lines of JSON."""

    status = 400
    code = "logs_malformed"
    title = "The logs cannot be read"


def take_logs(request: HttpRequest) -> HttpResponse:
    """Take the logs of calls; the answer counts what became of each."""
    now = timezone.now()
    reporter = key_of(request, WRITE, now).organization
    try:
        read = read_logs(read_sent(request, BYTES_MAX), now)
    except NotLogs as refused:
        count_refused(reporter=reporter, input_name=INPUT, code=LogsUnreadable.code, now=now)
        raise LogsUnreadable(str(refused)) from refused
    except Problem as refused:
        count_refused(reporter=reporter, input_name=INPUT, code=refused.code, now=now)
        raise
    taken = take_reports(reporter=reporter, input_name=INPUT, items=[*read.reports, *read.unusable], now=now)
    return HttpResponse(msgspec.json.encode(asdict(taken)), content_type="application/json")


logs = endpoint(problem_answer, POST=take_logs)
