"""Instants as people give them: with an offset, or as local time of a contract's zone, and never guessed.

Local time is ambiguous where clocks go back and does not exist where they go forward: both are refused with the two
instants that can have been meant.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tenants.sentences import sentence

_WEEK = timedelta(days=7)


class WrongInstant(ValueError):
    """A text is no instant; `examples` are what can have been meant."""

    def __init__(self, reason: str, examples: tuple[str, str]) -> None:
        super().__init__(f"{reason} Give {' or '.join(examples)}.")
        self.reason = reason
        self.example = sentence("%(one)s or %(other)s", one=examples[0], other=examples[1])
        self.examples = examples


def read_instant(text: str, zone: str) -> datetime:
    """Return the instant, in UTC at the full second, that a text says: RFC 3339, or local time of an IANA zone.

    Raises `WrongInstant` for what is no time, lies beyond the years 2000 to 3000, or is twice or never in the zone.
    """
    example = ("2026-11-30T08:00:00Z", "2026-11-30T08:00")
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise WrongInstant(sentence("%(text)s is no time.", text=repr(text)), example) from error
    if not 2000 <= given.year < 3000:
        raise WrongInstant(sentence("%(text)s lies outside the years 2000 to 3000.", text=repr(text)), example)
    given = given.replace(microsecond=0)
    return given.astimezone(UTC) if given.tzinfo is not None else _of_local(given, zone)


def _of_local(local: datetime, zone: str) -> datetime:
    here = ZoneInfo(zone)
    first, second = (local.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    exists = first.astimezone(here).replace(tzinfo=None) == local
    named = {"local": local.isoformat(), "zone": zone}
    twice = sentence("%(local)s is twice, since clocks go back in %(zone)s then.", **named)
    never = sentence("%(local)s does not exist, since clocks go forward in %(zone)s then.", **named)
    instants = sorted((first, second))
    one, other = (at.astimezone(here).isoformat() for at in instants)
    raise WrongInstant(twice if exists else never, (one, other))
