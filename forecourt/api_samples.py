"""Values that stand in the examples of the API's document and of its pages: of the right shape, as one meets them."""

from __future__ import annotations

import re
from typing import Any, Final

UUID: Final = "00000000-0000-0000-0000-000000000000"
INSTANT: Final = "2026-03-01T00:00:00Z"
BY_FORM: Final[dict[str, object]] = {
    "date-time": INSTANT,
    "date": "2026-03-01",
    "uuid": UUID,
    "decimal": "1200.00",
    "email": "ada@tenant.example",
    "uri": "https://tenant.example/hooks",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}
"""What stands for a value of a format or type."""
BY_NAME: Final[dict[str, object]] = {
    "account": "DE89370400440532013000",
    "actor": "ada@tenant.example",
    "address": "203.0.113.7",
    "agent_version": "1.0.0",
    "at": INSTANT,
    "bank_name": "Sample Bank",
    "because": "Its invoices of March are unpaid.",
    "bic": "COBADEFFXXX",
    "boot_id": "4f3b1c52-5b0e-4a0c-9a52-1d2c8f6f4f10",
    "category": "compute",
    "certified_by": "Sample Auditors LLP",
    "city": "Berlin",
    "cluster": "fra-1",
    "code": "SPRING-26",
    "contract": "C-0001",
    "country": "DE",
    "currency": "EUR",
    "deployment": "chat-prod",
    "description": "Input tokens of sample-model",
    "driver_version": "570.86.15",
    "engine": "vllm",
    "ends_at": "2027-03-01T00:00",
    "factor": "0.50",
    "from": INSTANT,
    "from_at": "2026-03-01T00:00",
    "gpu_hours": "744.000000",
    "holder": "Sample Compute GmbH",
    "iban": "DE89370400440532013000",
    "invoice": "INV-0042",
    "input": "1200000",
    "key": "support-bot",
    "language": "en",
    "legal_name": "Sample Compute GmbH",
    "looks_for": "",
    "mark": "batch",
    "memo": "",
    "message_id": "FC-20260301-1",
    "method": "GET",
    "model": "sample-model",
    "month": "2026-03",
    "name": "Sample Compute",
    "next_cursor": None,
    "node": "gpu-01",
    "node_name": "gpu-01",
    "note": "Agreed by telephone on 2 March.",
    "number": "INV-0042",
    "output": "340000",
    "overhead_per_month": "700",
    "payer": "Sample Tenant Ltd",
    "postcode": "10115",
    "power_price_per_kwh": "0.085",
    "prefix": "fk_Vh3k",
    "price_unit": "mtok",
    "price_version": 1,
    "profile": "1g.10gb",
    "project": "support",
    "provider": "sample-compute",
    "public_key": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbL",
    "pue": "1.25",
    "quantity": "output",
    "rate": 1,
    "reason": "Delivered later than agreed.",
    "ref": "S-0001",
    "reference": "RF18 5390 0754 7034",
    "region": "Berlin",
    "rent_per_month": "1800",
    "secret": "whsec_…",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "slug": "sample-compute",
    "source": "my-gateway",
    "subject": "sample-model",
    "tenant": "sample-tenant",
    "term": "S-0001",
    "text": "Our gateway counted 1,100,000 tokens on 3 March.",
    "time_zone": "Europe/Berlin",
    "title": "8 × H100",
    "to": "2026-04-01T00:00:00Z",
    "to_at": "2026-04-01T00:00",
    "token": "fe_…",
    "tz": "Europe/Berlin",
    "unit": "token",
    "url": "https://tenant.example/hooks",
    "uuid": "GPU-5d1f0f3a-6a0e-4a3c-9b57-2f0f8e3a1c11",
    "vat_id": "DE123456788",
    "volume": "scratch",
}
"""What stands for a text by the name of its field, where one word does for every shape that has it."""
BY_ENDING: Final[tuple[tuple[str, object], ...]] = (
    (r"_sha256$", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    (r"_percent$|^percent$", "2.5"),
    (
        r"(^|_)(amount|amounts|balance|cost|price|total|subtotal|tax|fee|profit|margin|share|revenue|deposit)(_|$)",
        "1200.00",
    ),
    (r"^(left|owed|outstanding|closing|opening|credit|debit|reserve|received|paid_out|taxable|gap|earned)$", "1200.00"),
    (r"^price_per_", "0.50"),
    (r"tokens|^(cached_input|cache_write|reasoning)$", "1200000"),
    (r"_name$", "Sample Tenant"),
    (r"_by$", "ada@tenant.example"),
    (r"_reference$|^(audit|refund)$", "PO-4711"),
    (r"_at$|_local$", INSTANT),
    (r"_on$", "2026-03-01"),
    (r"_id$", UUID),
)
DEPTH_MAX: Final = 4
"""How deep the members of members are written out."""


def sample_of(schema: dict[str, Any], node: dict[str, Any], *, whole: bool, name: str = "", depth: int = 0) -> Any:
    """Return a value of a node of the document: with every member if `whole`, else with those that must be there."""
    if "example" in node:
        return node["example"]
    nullable = _can_be_null(node)
    node = resolved(schema, node)
    if "const" in node:
        return node["const"]
    if choices := node.get("enum"):
        return choices[0]
    if some := node.get("anyOf", node.get("oneOf")):
        return sample_of(schema, some[0], whole=whole, name=name, depth=depth)
    kind = node.get("type")
    if kind == "array":
        deep = depth >= DEPTH_MAX
        return [] if deep else [sample_of(schema, node["items"], whole=whole, name=_singular(name), depth=depth + 1)]
    if members := node.get("properties"):
        if depth >= DEPTH_MAX:
            return None if nullable else {}
        chosen = [each for each in members if whole or each in node.get("required", [])]
        return {each: sample_of(schema, members[each], whole=whole, name=each, depth=depth + 1) for each in chosen}
    return _plain(node, name)


def _plain(node: dict[str, Any], name: str) -> Any:
    kinds = node.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind in ("integer", "number"):
        known = BY_NAME.get(name)
        least = node.get("minimum", 1)
        return known if isinstance(known, int) else max(1, least)
    if kind != "string":
        return BY_FORM.get(kind)
    form = node.get("format", "")
    if form in BY_FORM and form != "decimal":
        return BY_FORM[form]
    by_ending = next((value for ending, value in BY_ENDING if re.search(ending, name)), BY_FORM.get(form, "…"))
    value = BY_NAME.get(name, by_ending)
    return value if re.search(node.get("pattern", ""), str(value)) else "sample-tenant"


def _singular(name: str) -> str:
    return name.removesuffix("s")


def _can_be_null(node: dict[str, Any]) -> bool:
    return any(one.get("type") == "null" for one in node.get("oneOf", []))


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the shape that a node refers to, also where it can be null; the node itself where it refers to none."""
    if "$ref" in node:
        found: dict[str, Any] = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[-1]]
        return found
    if len(node.get("allOf", [])) == 1:
        return resolved(schema, node["allOf"][0])
    some = [one for one in node.get("oneOf", []) if one.get("type") != "null"]
    return resolved(schema, some[0]) if len(some) == 1 else node
