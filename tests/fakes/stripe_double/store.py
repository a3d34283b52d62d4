"""What the double remembers, and how it survives ``kill -9``.

Every request works on copies (``Work``) and commits them as one journal line, written before memory changes and
before the answer is sent. A process that dies loses nothing it answered for: the line is with the kernel, or the
request never happened. A torn last line is dropped at start, when the journal is also rewritten and swapped in.
"""

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe

from tests.fakes.stripe_double import objects
from tests.fakes.stripe_double.funds import Funds
from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import missing


@dataclass(frozen=True)
class StoredAnswer:
    """The first answer given under an idempotency key, and what was asked."""

    asked: str
    status: int
    body: JsonObject
    request_id: str


class Store:
    """All objects and idempotency keys; changed only by ``commit``. Callers hold one lock around it."""

    def __init__(self, journal: Path | None) -> None:
        self._objects: dict[str, JsonObject] = {}
        self._ids: dict[str, dict[str, None]] = {kind: {} for kind in objects.CLASSES}
        self._answers: dict[str, StoredAnswer] = {}
        self._journal_fd: int | None = None
        self.funds = Funds()
        if journal is not None:
            self._recover(journal)

    def peek(self, object_id: str) -> JsonObject | None:
        """The committed object, for reading only."""
        return self._objects.get(object_id)

    def all_of(self, kind: str) -> Iterator[JsonObject]:
        """Committed objects of a kind in order of creation, for reading only."""
        return (self._objects[object_id] for object_id in self._ids[kind])

    def answer_for(self, key: str) -> StoredAnswer | None:
        """What was first answered under the idempotency key."""
        return self._answers.get(key)

    def commit(self, work: "Work | None", key: str | None = None, answer: StoredAnswer | None = None) -> None:
        """Make the work and the stored answer stand, together or not at all."""
        record: JsonObject = {"put": [], "removed": []}
        if work is not None:
            record["put"], record["removed"] = list(work.changed.values()), sorted(work.removed)
        if key is not None and answer is not None:
            record["answer"] = [key, answer.asked, answer.status, answer.body, answer.request_id]
        if record["put"] or record["removed"] or "answer" in record:
            self._append(record)
            self._apply(record)

    def dump(self) -> JsonObject:
        """Everything, by kind, oldest first; members the double keeps for itself included."""
        by_kind = {kind: list(self.all_of(kind)) for kind in self._ids}
        return {**copy.deepcopy(by_kind), "idempotency_keys": sorted(self._answers)}

    def _apply(self, record: JsonObject) -> None:
        for changed in record["put"]:
            self._objects[changed["id"]] = changed
            self._ids[changed["object"]][changed["id"]] = None
        for object_id in record["removed"]:
            removed = self._objects.pop(object_id, None)
            if removed is not None:
                del self._ids[removed["object"]][object_id]
        if "answer" in record:
            key, asked, status, body, request_id = record["answer"]
            self._answers[key] = StoredAnswer(asked, status, body, request_id)

    def _append(self, record: JsonObject) -> None:
        if self._journal_fd is None:
            return
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        written = os.write(self._journal_fd, line)
        assert written == len(line), "the journal took half a line: is the disk full?"

    def _recover(self, journal: Path) -> None:
        for line in journal.read_bytes().splitlines(keepends=True) if journal.exists() else ():
            if line.endswith(b"\n"):
                self._apply(json.loads(line))
        fresh = journal.with_suffix(journal.suffix + ".new")
        records = [{"put": [found], "removed": []} for found in self._objects.values()]
        answers = [
            {"put": [], "removed": [], "answer": [key, kept.asked, kept.status, kept.body, kept.request_id]}
            for key, kept in self._answers.items()
        ]
        with fresh.open("wb") as stream:
            stream.writelines(json.dumps(record).encode() + b"\n" for record in [*records, *answers])
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(journal)
        self._journal_fd = os.open(journal, os.O_WRONLY | os.O_APPEND)


class Work:
    """One request's changes: reads fall through to the store, ``get`` hands out a copy that commit will keep."""

    def __init__(self, store: Store, *, now: int, request_id: str | None, idempotency_key: str | None) -> None:
        self._store = store
        self.now = now
        self.funds = store.funds
        self.changed: dict[str, JsonObject] = {}
        self.removed: set[str] = set()
        self._request: JsonObject = {"id": request_id, "idempotency_key": idempotency_key}

    def get(self, object_id: str, kind: str, param: str = "id") -> JsonObject:
        """The object, to read or to change; 404 ``resource_missing`` if there is none of that kind."""
        found = self.peek(object_id)
        if found is None or found["object"] != kind:
            raise missing(kind, object_id, param)
        return self.changed.setdefault(object_id, copy.deepcopy(found))

    def peek(self, object_id: str) -> JsonObject | None:
        """The object as this work sees it, for reading only."""
        if object_id in self.removed:
            return None
        return self.changed.get(object_id) or self._store.peek(object_id)

    def all_of(self, kind: str) -> list[JsonObject]:
        """Objects of a kind as this work sees them, oldest first, for reading only."""
        committed = [found["id"] for found in self._store.all_of(kind)]
        added = [object_id for object_id, found in self.changed.items() if found["object"] == kind]
        seen = (self.peek(object_id) for object_id in dict.fromkeys([*committed, *added]))
        return [found for found in seen if found is not None]

    def add(self, kind: str, **given: Any) -> JsonObject:
        """Make a new object, created now if its kind has a creation time."""
        created = self.now if "created" in objects.members_of(kind) else None
        made = objects.build(kind, created=created, **given)
        self.changed[made["id"]] = made
        return made

    def remove(self, found: JsonObject) -> JsonObject:
        """Delete an object; answers what Stripe answers to a deletion."""
        self.removed.add(found["id"])
        self.changed.pop(found["id"], None)
        return {"id": found["id"], "object": found["object"], "deleted": True}

    def emit(self, event_type: str, subject: JsonObject, *, account: str | None = None) -> None:
        """Record an event with the object as it is now, to be delivered to every endpoint that wants it.

        What happens at a connected ``account`` goes to the endpoints for those, and to no other.
        """
        assert event_type in objects.event_types(), event_type
        waiting = [
            endpoint["id"]
            for endpoint in self.all_of("webhook_endpoint")
            if endpoint["status"] == "enabled"
            and {"*", event_type} & set(endpoint["enabled_events"])
            and endpoint.get("_connect", False) is (account is not None)
        ]
        self.add(
            "event",
            **({} if account is None else {"account": account}),
            type=event_type,
            api_version=stripe.api_version,
            data={"object": objects.public(copy.deepcopy(subject))},
            request=self._request,
            pending_webhooks=len(waiting),
            _waiting=waiting,
        )
