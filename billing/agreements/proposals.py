"""What a proposal says, as data: terms that are new, changed or ended, each from an instant on.

A change of a known term names its reference. One of a new term names none: it gets a reference from the contract's
number, the same for every reading of the same proposal. Without a wording the term ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from billing.local_instants import WrongInstant, read_instant
from billing.rating.kinds import KINDS, kind_of_wording, read_any_wording
from billing.rating.rated import TermKind
from billing.rating.wording import Wording, WrongWording, unlike, write_wording
from tenants.sentences import ForPrograms, Listed, Name, sentence

CHANGES_MAX = 100
SLICES_MAX = 10_000
REF_TAIL_CHARACTERS = 20
_EXAMPLE = (
    '{"from_at": "2026-12-01T00:00", "wording": {"kind": "lease", "price_per_gpu_hour": "2.35"}, "slices": ["…"]}'
)


@dataclass(frozen=True, slots=True)
class Known:
    """A term that the contract has: its kind, title, and its time as agreed by now."""

    kind: TermKind
    title: str
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """What is proposed of one term from `from_at` on: a wording until `to_at`, or its end.

    `slices` and `deployments` are those from that instant on; None leaves those of a known term as they are.
    """

    ref: str
    is_new: bool
    kind: TermKind
    title: str
    from_at: datetime
    to_at: datetime | None
    wording: Wording | None
    slices: tuple[UUID, ...] | None = None
    deployments: tuple[UUID, ...] | None = None


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    from_at: str
    wording: dict[str, Any] | None
    to_at: str | None = None
    ref: str = ""
    title: str = ""
    currency: str = ""
    slices: tuple[UUID, ...] | None = None
    deployments: tuple[UUID, ...] | None = None


def read_changes(
    given: Any, *, contract: str, zone: str, currency: str, known: Mapping[str, Known]
) -> tuple[Change, ...]:
    """Return the changes that JSON proposes of a contract; raises `WrongWording` with the field as `changes[0].name`.

    Times without an offset are local times of the contract's zone.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not 0 < len(given) <= CHANGES_MAX:
        raise WrongWording(
            "changes", sentence("A proposal is a list of 1 to %(most)s changes.", most=CHANGES_MAX), f"[{_EXAMPLE}]"
        )
    reader = _Reader(zone, currency, known, _Numbers(contract, known))
    found: list[Change] = []
    for place, each in enumerate(given):
        where = f"changes[{place}]"
        change = reader.read(each, where)
        if any(change.ref == other.ref for other in found):
            raise WrongWording(
                f"{where}.ref",
                sentence("%(ref)s is changed twice.", ref=change.ref),
                sentence("one change for each term"),
            )
        found.append(change)
    return tuple(found)


def write_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as JSON: `read_changes` gives the same changes back while the contract has the same terms."""
    return [
        {
            "ref": "" if change.is_new else change.ref,
            "title": change.title,
            "from_at": _text(change.from_at),
            "to_at": change.to_at and _text(change.to_at),
            "wording": change.wording and write_wording(change.wording),
            "slices": None if change.slices is None else [str(each) for each in change.slices],
            "deployments": None if change.deployments is None else [str(each) for each in change.deployments],
        }
        for change in changes
    ]


_SUCH_AS: Final = {"_at": "2026-12-01T00:00:00Z", "_s": "30", "_days": "30", "percent": "10", "": "2.35"}
"""What a field can say, by how its name ends."""


class _Numbers:
    """References of new terms: the prefix of the kind, the contract's number, and the next number under it."""

    def __init__(self, contract: str, known: Mapping[str, Known]) -> None:
        self._tail = contract.removeprefix("C-")[-REF_TAIL_CHARACTERS:]
        self._taken = set(known)

    def next(self, kind: TermKind) -> str:
        number = 1
        while (ref := f"{KINDS[kind].ref_prefix}-{self._tail}-{number}") in self._taken:
            number += 1
        self._taken.add(ref)
        return ref


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the changes of one contract."""

    zone: str
    currency: str
    known: Mapping[str, Known]
    numbers: _Numbers

    def read(self, each: Any, where: str) -> Change:
        try:
            given = msgspec.convert(each, _Given)
        except msgspec.ValidationError as error:
            raise WrongWording(where, unlike(str(error)), _EXAMPLE) from error
        self._check(given, where)
        wording = None if given.wording is None else _wording(given.wording, where)
        kind = self._kind(given.ref, wording, where)
        from_at, to_at = self._time(given, wording, where)
        term = self.known.get(given.ref)
        return Change(
            ref=given.ref or self.numbers.next(kind),
            is_new=term is None,
            kind=kind,
            title=(given.title or (term.title if term else ""))[:200],
            from_at=from_at,
            to_at=to_at,
            wording=wording,
            slices=_ids(given.slices, f"{where}.slices"),
            deployments=_ids(given.deployments, f"{where}.deployments"),
        )

    def _check(self, given: _Given, where: str) -> None:
        if given.currency and given.currency != self.currency:
            reason = sentence(
                "%(currency)s is not the contract's %(self_currency)s.",
                currency=given.currency,
                self_currency=self.currency,
            )
            raise WrongWording(f"{where}.currency", reason, self.currency)
        if given.ref and given.ref not in self.known:
            example = next(iter(sorted(self.known)), sentence("leave it out for a new term"))
            raise WrongWording(f"{where}.ref", sentence("The contract has no term %(ref)s.", ref=given.ref), example)
        if given.wording is None and not given.ref:
            raise WrongWording(
                f"{where}.wording", sentence("Only a term that there is can end: name its ref."), "L-0001"
            )

    def _kind(self, ref: str, wording: Wording | None, where: str) -> TermKind:
        term = self.known.get(ref)
        if wording is None:
            assert term is not None
            return term.kind
        kind = kind_of_wording(wording)
        if term is not None and kind is not term.kind:
            reason = sentence(
                "%(ref)s is a %(kind)s and cannot become a %(kind_2)s: end it and add a new term.",
                ref=ref,
                kind=Name("kind", term.kind, text=term.kind),
                kind_2=Name("kind", kind, text=kind),
            )
            raise WrongWording(f"{where}.wording.kind", reason, Name("kind", term.kind, text=term.kind))
        return kind

    def _time(self, given: _Given, wording: Wording | None, where: str) -> tuple[datetime, datetime | None]:
        """What changes a known term without saying an end keeps the end that it has."""
        term = self.known.get(given.ref)
        from_at = _instant(given.from_at, f"{where}.from_at", self.zone)
        to_at = None if given.to_at is None else _instant(given.to_at, f"{where}.to_at", self.zone)
        if wording is None:
            return from_at, None
        if to_at is None and term is not None and term.to_at is not None and from_at < term.to_at:
            to_at = term.to_at
        if to_at is not None and to_at <= from_at:
            reason = sentence("The end must lie after the start: the time would be empty.")
            raise WrongWording(f"{where}.to_at", reason, _text(from_at + timedelta(days=1)))
        return from_at, to_at


def _wording(document: Mapping[str, Any], where: str) -> Wording:
    try:
        return read_any_wording(document)
    except WrongWording as error:
        raise WrongWording(
            f"{where}.wording.{error.field}", error.reason, error.example or _shape(document, error.field)
        ) from error


def _shape(document: Mapping[str, Any], field: str) -> str:
    """Return what can be said at all: the fields of the kind that is named, else the kinds; to people what `field` can
    say."""
    kind = next((each for each in KINDS if each == document.get("kind")), None)
    if kind is None:
        return " or ".join(f'{{"kind": "{each}"}}' for each in KINDS)
    fields = [field.encode_name for field in msgspec.structs.fields(KINDS[kind].wording)]
    said = sentence('numbers as text such as "2.35"; fields: %(fields)s', fields=Listed(fields))
    return ForPrograms(said, next(one for end, one in _SUCH_AS.items() if field.endswith(end)))


def _instant(text: str, where: str, zone: str) -> datetime:
    try:
        return read_instant(text, zone)
    except WrongInstant as error:
        raise WrongWording(where, error.reason, error.example) from error


def _ids(ids: tuple[UUID, ...] | None, where: str) -> tuple[UUID, ...] | None:
    if ids is None:
        return None
    if len(ids) > SLICES_MAX:
        raise WrongWording(
            where,
            sentence("%(count)s are more than %(most)s.", count=len(ids), most=SLICES_MAX),
            sentence("the rest in another term"),
        )
    if len(set(ids)) < len(ids):
        raise WrongWording(where, sentence("One is named twice."), sentence("each once"))
    return tuple(sorted(ids))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
