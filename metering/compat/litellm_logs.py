"""What LiteLLM's generic logger sends: one StandardLoggingPayload a call, as an array, lines or one alone. Pure.

The decoder knows only the members below: prompts (`messages`), answers (`response`), addresses and parameters of a
call are passed over while the body is read and never become a value. `response_cost` is LiteLLM's own float and is
not read: money comes from our prices.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from metering.compat.reports import Report, Unusable, read_report

SOURCE: Final = "litellm"
LOGS_MAX: Final = 10_000


class Metadata(msgspec.Struct, frozen=True):
    """Whose key made the call, and the engine's own usage object."""

    user_api_key_alias: str | None = None
    user_api_key_hash: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_user_id: str | None = None
    user_api_key_org_id: str | None = None
    usage_object: dict[str, Any] | None = None


class CallLog(msgspec.Struct, frozen=True):
    """One call; unknown members are passed over."""

    id: str | None = None
    litellm_call_id: str | None = None
    status: str | None = None
    model: str | None = None
    model_group: str | None = None
    end_user: str | None = None
    cache_hit: bool | str | None = None
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    startTime: float | str | None = None  # noqa: N815  LiteLLM's own name
    endTime: float | str | None = None  # noqa: N815
    metadata: Metadata | None = None


class NotLogs(Exception):
    """The body as a whole is no log of calls."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a body holds: reports and items that are no usage."""

    reports: tuple[Report, ...]
    unusable: tuple[Unusable, ...]


_log = msgspec.json.Decoder(CallLog)
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def read_logs(body: bytes, now: datetime) -> Read:
    """Read an array, lines of JSON, or one object: the media type says `application/json` for all. Raises NotLogs."""
    raws = _split(body)
    if len(raws) > LOGS_MAX:
        raise NotLogs(f"{len(raws)} logs; at most {LOGS_MAX} at once")
    items = [_read(raw, now) for raw in raws]
    return Read(
        tuple(item for item in items if isinstance(item, Report)),
        tuple(item for item in items if isinstance(item, Unusable)),
    )


def _split(body: bytes) -> list[Any]:
    text = body.strip()
    if text.startswith(b"["):
        try:
            return list(_raws.decode(text))
        except (msgspec.DecodeError, RecursionError) as broken:
            raise NotLogs(f"The body is no JSON array: {broken}"[:300]) from broken
    lines = [line for line in text.split(b"\n") if line.strip()]
    if not lines or not text.startswith(b"{"):
        raise NotLogs("The body is neither a JSON array, nor JSON lines, nor a JSON object.")
    # One object may be written over several lines; lines of objects begin with one each.
    return lines if all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines) else [text]


def _read(raw: bytes | msgspec.Raw, now: datetime) -> Report | Unusable:
    try:
        call = _log.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return Unusable("malformed", str(broken))
    event_id = call.litellm_call_id or call.id or ""
    subject = subject_of(call)
    usage = dict(call.metadata.usage_object or {}) if call.metadata else {}
    data: dict[str, object] = {
        **usage,
        "model": call.model_group or call.model,
        "prompt_tokens": _known(call.prompt_tokens, usage.get("prompt_tokens")),
        "completion_tokens": _known(call.completion_tokens, usage.get("completion_tokens")),
    }
    data.pop("type", None)
    if call.cache_hit in {True, "True", "true"}:
        return Unusable("cache_hit", "answered from LiteLLM's own cache: no engine worked", event_id, subject)
    if call.status == "failure" and not (data["prompt_tokens"] or data["completion_tokens"]):
        return Unusable("failed_call", "the call failed and no tokens were counted", event_id, subject)
    at = _instant(call.endTime) or _instant(call.startTime)
    return read_report(source=SOURCE, event_id=event_id, occurred_at=at, subject=subject, data=data, now=now)


def subject_of(call: CallLog) -> str:
    """Whose call it was: the end user that the request named, else the key's organization, team or user."""
    metadata = call.metadata or Metadata()
    named = (
        call.end_user,
        metadata.user_api_key_org_id,
        metadata.user_api_key_team_id,
        metadata.user_api_key_user_id,
        metadata.user_api_key_alias,
    )
    return next((name for name in named if name), "")


def _known(given: object, fallback: object) -> object:
    return fallback if given is None else given


def _instant(given: float | str | None) -> datetime | None:
    try:
        seconds = float(given) if given is not None else None
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
