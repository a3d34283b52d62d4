"""Lists, pages, searches and expansions: the same for every kind of object."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tests.fakes.stripe_double.objects import JsonObject, public
from tests.fakes.stripe_double.refusals import Refusal, missing
from tests.fakes.stripe_double.store import Work

PAGE_DEFAULT = 10
PAGE_MAX = 100
EXPAND_DEPTH_MAX = 4
_CLAUSE = re.compile(
    r"""\s*(?P<field>\w+)(\[(?P<q>['"])(?P<key>[^'"]+)(?P=q)\])?\s*:\s*(?P<v>['"])(?P<value>[^'"]*)(?P=v)\s*\Z"""
)
_BOUNDS = {
    "gt": lambda at, bound: at > bound,
    "gte": lambda at, bound: at >= bound,
    "lt": lambda at, bound: at < bound,
    "lte": lambda at, bound: at <= bound,
}


def page(rows: Sequence[JsonObject], params: JsonObject, url: str) -> JsonObject:
    """One page of ``rows``, which come in the order in which Stripe would list them."""
    limit = _limit(params)
    before, after = params.get("ending_before"), params.get("starting_after")
    if after is not None:
        rows = rows[_position(rows, after, "starting_after") + 1 :]
    if before is not None:
        rows = rows[: _position(rows, before, "ending_before")]
        return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": list(rows[-limit:])}
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": list(rows[:limit])}


def newest_first(rows: Iterable[JsonObject], params: JsonObject, url: str, *filters: str) -> JsonObject:
    """A page of the rows that match ``created`` and the named filters, newest first."""
    wanted = {name: params[name] for name in filters if name in params}
    matching = [
        row
        for row in rows
        if all(row.get(name) == value for name, value in wanted.items())
        and _in_bounds(row["created"], params.get("created"))
    ]
    return page(matching[::-1], params, url)


def search(rows: Iterable[JsonObject], params: JsonObject, url: str, fields: frozenset[str]) -> JsonObject:
    """A page of what matches a search query: exact clauses joined by AND, such as ``metadata['k']:'v'``.

    Other operators of Stripe's query language are refused. Stripe's own index lags by up to a minute; this one
    does not, so a caller must not rely on search right after a write whatever the double allows.
    """
    matching = list(rows)
    for clause in re.split(r"\s+AND\s+", params["query"]):
        parsed = _CLAUSE.match(clause)
        if parsed is None or parsed["field"] not in fields:
            raise Refusal(400, f"We were unable to parse your search query: {clause!r}", param="query")
        matching = [row for row in matching if _search_value(row, parsed["field"], parsed["key"]) == parsed["value"]]
    start = int(params.get("page") or 0)
    limit = _limit(params)
    newest = matching[::-1]
    has_more = len(newest) > start + limit
    found = {"object": "search_result", "url": url, "has_more": has_more, "data": newest[start : start + limit]}
    return {**found, "next_page": str(start + limit) if has_more else None}


def expand(work: Work, answer: JsonObject, paths: Iterable[str]) -> None:
    """Replace ids by their objects along the paths, in place; ``payments`` of an invoice is added on request.

    ``answer`` must be a public copy: nothing in it may belong to the store.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > EXPAND_DEPTH_MAX:
            raise Refusal(400, f"You cannot expand more than {EXPAND_DEPTH_MAX} levels of a property: {path}")
        _expand_one(work, answer, steps, path)


def _expand_one(work: Work, holder: Any, steps: list[str], path: str) -> None:
    if isinstance(holder, list):
        for member in holder:
            _expand_one(work, member, steps, path)
        return
    if not steps or holder is None:
        return
    name, *rest = steps
    if holder.get("object") == "invoice" and name == "payments":
        holder["payments"] = _payments_of(work, holder)
    if name not in holder:
        raise Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
    value = holder[name]
    if isinstance(value, str):
        found = work.peek(value)
        if found is None:
            raise Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
        value = holder[name] = public(found)
    _expand_one(work, value, rest, path)


def _payments_of(work: Work, invoice: JsonObject) -> JsonObject:
    rows = [public(row) for row in work.all_of("invoice_payment") if row["invoice"] == invoice["id"]]
    return page(rows[::-1], {}, "/v1/invoice_payments")


def _limit(params: JsonObject) -> int:
    limit = int(params.get("limit", PAGE_DEFAULT))
    if not 1 <= limit <= PAGE_MAX:
        raise Refusal(400, f"Invalid integer: limit must be from 1 to {PAGE_MAX}", param="limit")
    return limit


def _position(rows: Sequence[JsonObject], object_id: str, param: str) -> int:
    for position, row in enumerate(rows):
        if row["id"] == object_id:
            return position
    raise missing("object", object_id, param)


def _in_bounds(at: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return at == wanted
    return all(_BOUNDS[name](at, bound) for name, bound in wanted.items())


def _search_value(row: JsonObject, field: str, key: str | None) -> str | None:
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get(key)
    return None if value is None else str(value)
