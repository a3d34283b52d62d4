"""Every address of the site, and what each kind of caller gets there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.isolation.callers import (
    BETWEEN_THEM,
    OWN_API,
    OWN_PROVIDER,
    OWN_TENANT,
    PROVIDERS,
    SIGNED_IN,
    TENANTS,
    everyone,
    people,
    programs,
)
from tests.isolation.room_addresses import ROOM_ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.filled import Filled

DAY = "2026-03-05"
NOT_IN_MARCH = programs(tenant=422, provider=422, outsider=404)
HOUR = "2026-03-05T09:00:00Z"
WINDOW = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}


@dataclass(frozen=True)
class Address:
    """One call of one named address; `expected` is the status for each kind of caller."""

    name: str
    expected: dict[str, int]
    method: str = "get"
    arguments: dict[str, str] = field(default_factory=dict)
    """Arguments of the address; `{…}` in a value is a field of `Filled.places`."""
    body: dict[str, Any] = field(default_factory=dict)

    def path(self, filled: Filled) -> str:
        """Where it is in a filled world."""
        named = filled.places
        return reverse(self.name, kwargs={name: value.format(**named) for name, value in self.arguments.items()})

    def __str__(self) -> str:
        shown = {**self.arguments, **self.body}
        return f"{self.method} {self.name} {shown}" if shown else f"{self.method} {self.name}"


@cache
def site() -> frozenset[str]:
    """The name of every address of the site; one without a name is its pattern."""
    return frozenset(_names(get_resolver().url_patterns, "", ""))


def _names(patterns: list[Any], namespace: str, before: str) -> Iterator[str]:
    for one in patterns:
        pattern = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _names(one.url_patterns, f"{one.namespace}:" if one.namespace else namespace, pattern)
        elif isinstance(one, URLPattern):
            yield namespace + (one.name or pattern)


def admin_path(name: str) -> str:
    """The path of a page of the back office by its name; a page of one object is asked for one that is not there."""
    if "<" in name:  # a pattern without a name: an object's own address, and all that is none
        return "/" + name.removeprefix("admin:").replace("<path:object_id>", "1").replace("(?P<url>.*)$", "nowhere/")
    arguments = {"app_list": ["tenants"], "view_on_site": ["1", "1"], "password_change": []}
    one_object = ["1"] if name.endswith(("_change", "_delete", "_history")) else []
    return reverse(name, args=arguments.get(name.removeprefix("admin:"), one_object))


BOOK = {"book": "{book}"}
NO_PRICES = {"price_book_id": "{book}", "effective_at": "2000-01-01T00:00:00Z", "prices": []}
DRAFT = {"draft_id": "{draft}"}
NO_AMENDMENT = {"amendment_id": "00000000-0000-0000-0000-000000000009"}
NO_COUPON = {"coupon_id": "00000000-0000-0000-0000-000000000009"}
BY_NUMBER = {"number": "{contract}"}
NO_ALERT = {"alert": "00000000-0000-0000-0000-000000000009"}
PART = {"meter": "{meter}", "from": "{part}"}
INVOICE_ID = {"invoice_id": "{invoice}"}
INVOICE = {"number": "{number}"}
CONTRACT_ID = {"contract_id": "{contract id}"}
OF_SHARES = ("api-share-refunds", "api-share-audits", "api-witness-differences")
STATEMENT = {"statement_id": "{statement}"}
NODE_ID = {"node_id": "{node id}"}
NODE = {"cluster": "{cluster}", "node": "{node}"}

ADDRESSES = [
    # The frame: signing in, looks, health. The same for all, and nothing of anyone in it.
    Address("home", SIGNED_IN),
    Address("health-live", everyone(200)),
    Address("portal:theme", everyone(405)),
    Address("portal:theme", everyone(302), "post", body={"theme": "dark"}),
    Address("portal:shortcuts", everyone(200)),
    Address("set_language", everyone(302), "post", body={"language": "en"}),
    Address("api-schema", everyone(200)),
    Address("api-docs", everyone(200)),
    Address("api-section", everyone(200), arguments={"section": "usage"}),
    Address("api-section", everyone(404), arguments={"section": "nowhere"}),
    Address("act-as", everyone(405), arguments={"slug": "tenant"}),
    Address("act-as", people(alice=302, bob=302, charlie=404, petra=404), "post", {"slug": "tenant"}),
    Address("act-as", people(alice=404, bob=404, charlie=404, petra=302), "post", {"slug": "provider"}),
    # The tenant's pages.
    Address("tenant-usage", OWN_TENANT),
    Address("tenant-usage-csv", OWN_TENANT),
    Address("tenant-usage-day", OWN_TENANT, arguments={"day": DAY}),
    Address("tenant-leases", OWN_TENANT),
    Address("tenant-lease-new", people(alice=200, bob=403, charlie=200, petra=404)),
    Address("tenant-lease-quote", people(alice=422, bob=403, charlie=422, petra=404), "post"),
    Address(
        "tenant-lease-reserve",
        people(alice=302, bob=403, charlie=404, petra=404),
        "post",
        {"quote_id": "{quote}"},
    ),
    Address("tenant-lease", TENANTS, arguments={"ref": "{lease}"}),
    Address("tenant-lease-extend", people(alice=422, bob=403, charlie=404, petra=404), "post", {"ref": "{lease}"}),
    Address("tenant-lease-end", people(alice=422, bob=403, charlie=404, petra=404), "post", {"ref": "{lease}"}),
    Address("tenant-invoices", OWN_TENANT),
    Address("tenant-invoices-csv", OWN_TENANT),
    Address("tenant-statement", OWN_TENANT, body={"month": "2026-04"}),
    Address("tenant-statement-csv", people(alice=200, bob=200, charlie=404, petra=404), body={"month": "2026-04"}),
    Address("tenant-invoice", TENANTS, arguments=INVOICE),
    Address("tenant-invoice-lines", TENANTS, arguments=INVOICE),
    Address("tenant-invoice-evidence", TENANTS, arguments=INVOICE),
    Address("tenant-witnesses", OWN_TENANT, body={"days": "31"}),
    Address("tenant-witnesses-csv", OWN_TENANT, body={"days": "31"}),
    Address("tenant-gaps", OWN_TENANT),
    Address("tenant-alert-seen", people(alice=404, bob=404, charlie=404, petra=404), "post", NO_ALERT),
    Address("tenant-hand-over", people(alice=404, bob=403, charlie=404, petra=404), "post", NO_ALERT, {"from": HOUR}),
    Address("tenant-findings", OWN_TENANT, body={"month": "2026-03"}),
    Address("tenant-findings-csv", OWN_TENANT, body={"month": "2026-03"}),
    Address("tenant-substitutions", OWN_TENANT),
    Address("tenant-substitutions-csv", OWN_TENANT),
    Address("tenant-usage-at", people(alice=302, bob=302, charlie=302, petra=404), arguments={"at": "20260305T09"}),
    Address("tenant-settings", OWN_TENANT),
    Address("tenant-settings", people(alice=422, bob=403, charlie=422, petra=404), "post"),
    Address("tenant-logo", people(alice=404, bob=404, charlie=404, petra=404)),
    Address("provider-settings", OWN_PROVIDER),
    Address("provider-settings", people(alice=404, bob=404, charlie=422, petra=422), "post"),
    Address("provider-logo", people(alice=404, bob=404, charlie=404, petra=404)),
    Address("tenant-revenue", OWN_TENANT),
    Address("tenant-revenue-document", TENANTS, arguments=STATEMENT),
    Address("provider-revenue", OWN_PROVIDER),
    Address("provider-revenue-document", PROVIDERS, arguments=STATEMENT),
    Address("api-revenue-statements", BETWEEN_THEM, arguments=CONTRACT_ID),
    Address(
        "api-revenue-statements", programs(tenant=400, provider=403, outsider=404), method="post", arguments=CONTRACT_ID
    ),
    Address("api-revenue-document", BETWEEN_THEM, arguments={**CONTRACT_ID, **STATEMENT}),
    *(Address(name, BETWEEN_THEM, arguments=CONTRACT_ID) for name in OF_SHARES),
    *(Address(name, programs(tenant=400, provider=400, outsider=404), "post", CONTRACT_ID) for name in OF_SHARES),
    Address("tenant-prices", OWN_TENANT),
    Address("tenant-prices-csv", OWN_TENANT),
    Address("tenant-price-change", TENANTS, arguments={"notice_id": "{notice}"}),
    # The provider's pages.
    Address("provider-prices", OWN_PROVIDER),
    Address("provider-prices", PROVIDERS, body={"book": "{book}"}),
    Address("provider-prices-csv", PROVIDERS),
    Address("provider-price-version", PROVIDERS, arguments={"version_id": "{version}"}),
    Address("provider-price-index", OWN_PROVIDER),
    Address("provider-price-index-csv", OWN_PROVIDER),
    Address("provider-price-book-new", OWN_PROVIDER),
    Address("provider-price-draft-new", people(alice=404, bob=404, charlie=404, petra=302), "post", body=BOOK),
    Address("provider-price-draft", PROVIDERS, arguments=DRAFT),
    Address("provider-price-draft", people(alice=404, bob=404, charlie=404, petra=422), "post", DRAFT),
    Address("provider-price-announce", PROVIDERS, arguments=DRAFT),
    Address("provider-price-announce", people(alice=404, bob=404, charlie=404, petra=409), "post", DRAFT),
    Address("provider-witnesses", OWN_PROVIDER, body={"days": "31"}),
    Address("provider-witnesses-csv", OWN_PROVIDER, body={"days": "31"}),
    Address("provider-gaps", OWN_PROVIDER),
    Address("provider-findings", OWN_PROVIDER, body={"month": "2026-03"}),
    Address("provider-findings-csv", OWN_PROVIDER, body={"month": "2026-03"}),
    Address("provider-substitutions", OWN_PROVIDER),
    Address("provider-substitutions-csv", OWN_PROVIDER),
    Address("provider-hour", OWN_PROVIDER, body={"at": "20260305T09"}),
    Address("provider-substitution-new", PROVIDERS, body=PART),
    Address("provider-substitution-new", people(alice=404, bob=404, charlie=404, petra=422), "post", body=PART),
    Address(
        "provider-substitution-decide",
        people(alice=404, bob=404, charlie=404, petra=302),
        "post",
        {"substitution_id": "{substitution}"},
        {"decision": "approve"},
    ),
    Address("provider-alert-seen", people(alice=404, bob=404, charlie=404, petra=404), "post", NO_ALERT),
    Address("provider-hand-over", people(alice=404, bob=404, charlie=404, petra=404), "post", NO_ALERT, {"from": HOUR}),
    Address("provider-fleet", OWN_PROVIDER),
    Address("provider-cluster", PROVIDERS, arguments={"cluster": "{cluster}"}),
    Address("provider-node", PROVIDERS, arguments=NODE),
    Address("provider-occupancy", OWN_PROVIDER),
    Address("provider-leases", OWN_PROVIDER),
    Address("provider-lease", PROVIDERS, arguments={"ref": "{lease}"}),
    Address("provider-lease-hold-over", people(alice=404, bob=404, charlie=404, petra=422), "post", {"ref": "{lease}"}),
    Address("provider-lease-outage", people(alice=404, bob=404, charlie=404, petra=422), "post", {"ref": "{lease}"}),
    Address("provider-compare", OWN_PROVIDER, body={"month": "2026-03"}),
    Address("tenant-compare", OWN_TENANT, body={"month": "2026-03"}),
    Address("provider-statements", OWN_PROVIDER),
    *(
        Address(f"provider-statement{what}", PROVIDERS, arguments={"number": "{stated number}"})
        for what in ("", "-document", "-csv")
    ),
    Address("provider-costs", OWN_PROVIDER),
    Address("provider-cluster-costs", PROVIDERS, arguments={"slug": "{cluster}"}),
    Address(
        "provider-cluster-costs", people(alice=404, bob=404, charlie=404, petra=422), "post", {"slug": "{cluster}"}
    ),
    Address("provider-margin", OWN_PROVIDER),
    Address("provider-margin-csv", OWN_PROVIDER),
    Address("provider-margin-model", PROVIDERS, arguments={"model": "{model}"}, body={"month": "2026-03"}),
    Address("provider-simulate", OWN_PROVIDER, body={"month": "2026-03"}),
    Address(
        "provider-simulate-draft", people(alice=404, bob=404, charlie=404, petra=302), "post", body={**BOOK, "pct": "5"}
    ),
    Address("provider-simulate", PROVIDERS, body={"month": "2026-03", "version": "{version}"}),
    *(
        Address(f"{side}-{page}", who, arguments=arguments)
        for side, own, theirs in (("tenant", OWN_TENANT, TENANTS), ("provider", OWN_PROVIDER, PROVIDERS))
        for page, who, arguments in (("contracts", own, {}), ("contract", theirs, CONTRACT_ID))
    ),
    Address("tenant-contract-new", people(alice=200, bob=403, charlie=200, petra=404)),
    Address("tenant-amendment-new", people(alice=200, bob=403, charlie=404, petra=404), arguments=CONTRACT_ID),
    Address("tenant-amendment", people(alice=404, bob=404, charlie=404, petra=404), arguments=NO_AMENDMENT),
    Address("tenant-contract-end", people(alice=200, bob=403, charlie=404, petra=404), arguments=CONTRACT_ID),
    Address("provider-contract-end", PROVIDERS, arguments=CONTRACT_ID),
    Address("provider-contract-new", OWN_PROVIDER),
    Address("provider-amendment-new", PROVIDERS, arguments=CONTRACT_ID),
    Address("provider-amendment", people(alice=404, bob=404, charlie=404, petra=404), arguments=NO_AMENDMENT),
    # Programs.
    Address("api-usage", OWN_API, body={**WINDOW, "group_by": "model,deployment"}),
    Address("api-usage", OWN_API, body={**WINDOW, "deployment": "{deployment}"}),
    Address("api-usage-findings", OWN_API, body=WINDOW),
    Address("api-usage-gaps", OWN_API, body=WINDOW),
    Address("api-usage-substitutions", OWN_API, body=WINDOW),
    Address("api-usage-residuals", OWN_API, body=WINDOW),
    Address("api-usage-completeness", OWN_API, body=WINDOW),
    Address("api-usage-reporters", OWN_API, body=WINDOW),
    Address(
        "api-usage-reporters",
        programs(tenant=409, provider=409, outsider=404),
        "post",
        body={"tenant": "tenant", "deployment": "{deployment}", "to": "provider", "from": HOUR},
    ),
    Address("api-usage-alerts", OWN_API, body=WINDOW),
    Address(
        "api-usage-alert-acknowledge",
        programs(tenant=404, provider=404, outsider=404),
        "post",
        {"alert_id": NO_ALERT["alert"]},
        {"note": "a"},
    ),
    Address("api-invoices", OWN_API),
    Address("api-margins", OWN_API, body={"first_day": "2026-03-01", "last_day": "2026-03-31"}),
    Address("api-cluster-costs", OWN_API),
    Address(
        "api-cluster-costs",
        programs(tenant=404, provider=201, outsider=404),
        "post",
        body={
            "cluster": "{cluster}",
            "effective_at": "2026-03-01T00:00:00Z",
            "currency": "USD",
            "power_price_per_kwh": "0.1",
            "pue": "1.2",
            "rent_per_month": "1",
            "overhead_per_month": "1",
            "cards": [],
        },
    ),
    Address("api-contract-compare", BETWEEN_THEM, arguments=CONTRACT_ID, body=WINDOW),
    Address(
        "api-contract-simulate", programs(tenant=404, provider=200, outsider=404), arguments=CONTRACT_ID, body=WINDOW
    ),
    Address(
        "api-contract-simulate",
        programs(tenant=404, provider=200, outsider=404),
        "post",
        CONTRACT_ID,
        body={**WINDOW, "terms": {}},
    ),
    Address(
        "api-price-version-simulate",
        programs(tenant=404, provider=200, outsider=404),
        arguments={"version_id": "{version}"},
        body=WINDOW,
    ),
    Address("api-price-books", OWN_API),
    Address("api-price-books", programs(tenant=404, provider=400, outsider=400), "post"),
    Address("api-price-index", OWN_API),
    Address("api-price-versions", OWN_API),
    Address("api-price-versions", OWN_API, body={"price_book_id": "{book}"}),
    Address("api-price-versions", programs(tenant=404, provider=201, outsider=404), "post", body=NO_PRICES),
    Address("api-price-version", BETWEEN_THEM, arguments={"version_id": "{version}"}),
    Address("api-invoice", BETWEEN_THEM, arguments=INVOICE_ID),
    Address("api-invoice-lines", BETWEEN_THEM, arguments=INVOICE_ID),
    Address("api-invoice-evidence", BETWEEN_THEM, arguments=INVOICE_ID),
    Address("api-contract-standing", BETWEEN_THEM, arguments={"number": "{contract}"}),
    Address(
        "api-contract-credits",
        programs(tenant=404, provider=404, outsider=404),
        "post",
        {"number": "{contract}"},
        {"term": "CR-404", "name": "a", "amount": "1", "from_at": "2026-03-01T00:00:00Z"},
    ),
    Address("api-contract-coupons", programs(tenant=404, provider=404, outsider=404), "post", BY_NUMBER, {"code": "A"}),
    Address("api-coupons", OWN_API),
    Address("api-coupons", programs(tenant=404, provider=400, outsider=400), "post"),
    Address("api-coupon-end", programs(tenant=404, provider=404, outsider=404), "post", NO_COUPON),
    Address("api-capacity", OWN_API, body={**WINDOW, "model": "NVIDIA H100 80GB HBM3", "count": "1"}),
    Address(
        "api-capacity",
        BETWEEN_THEM,
        body={**WINDOW, "model": "NVIDIA H100 80GB HBM3", "count": "1", "contract": "{contract}"},
    ),
    Address(
        "api-quotes",
        programs(tenant=422, provider=422, outsider=404),
        "post",
        body={**WINDOW, "model": "H100", "count": "1", "contract": "{contract}"},
    ),
    Address("api-quote", BETWEEN_THEM, arguments={"quote_id": "{quote}"}),
    Address("api-quote-reserve", programs(tenant=409, provider=409, outsider=404), "post", {"quote_id": "{quote}"}),
    Address("api-leases", OWN_API),
    Address("api-lease", BETWEEN_THEM, arguments={"ref": "{lease}"}),
    Address("api-lease-extend", NOT_IN_MARCH, "post", {"ref": "{lease}"}, {"to": "2026-03-05T09:00:00Z"}),
    Address(
        "api-lease-hold-over",
        programs(tenant=404, provider=422, outsider=404),
        "post",
        {"ref": "{lease}"},
        {"to": "2026-02-05T09:00:00Z"},
    ),
    Address("api-lease-outages", BETWEEN_THEM, arguments={"ref": "{lease}"}),
    Address(
        "api-lease-outages",
        programs(tenant=403, provider=422, outsider=404),
        "post",
        {"ref": "{lease}"},
        {"cause": "maintenance", "from": "2026-02-05T09:00:00Z", "to": "2026-02-05T10:00:00Z"},
    ),
    Address("api-lease-end", NOT_IN_MARCH, "post", {"ref": "{lease}"}, {"at": "2026-03-05T09:00:00Z"}),
    *(Address(*call) for call in ROOM_ADDRESSES),
    Address("api-contracts", OWN_API),
    Address("api-contracts", programs(tenant=400, provider=400, outsider=400), "post"),
    Address("api-contract", BETWEEN_THEM, arguments=CONTRACT_ID),
    Address("api-contract-versions", BETWEEN_THEM, arguments=CONTRACT_ID),
    Address("api-amendments", BETWEEN_THEM, arguments=CONTRACT_ID),
    Address("api-amendments", programs(tenant=422, provider=422, outsider=404), "post", CONTRACT_ID, {"changes": []}),
    *(
        Address(f"api-amendment{verb}", programs(tenant=404, provider=404, outsider=404), method, NO_AMENDMENT, body)
        for verb, method, body in (
            ("", "get", {}),
            ("-accept", "post", {"name": "A", "sha256": "0"}),
            *((verb, "post", {}) for verb in ("-offer", "-decline", "-withdraw")),
        )
    ),
    Address(
        "api-enrolment-tokens",
        programs(tenant=404, provider=201, outsider=404),
        "post",
        body={"cluster": "{cluster}"},
    ),
    Address("api-keys-of-node", programs(tenant=404, provider=200, outsider=404), arguments=NODE_ID),
    Address("api-revoke-node", programs(tenant=404, provider=200, outsider=404), "post", NODE_ID),
    # There is none here; whose they are is tried with stored ones in tests/metering/test_events_api.py.
    Address(
        "api-events",
        programs(tenant=404, provider=404, outsider=404),
        body={"source": "sample", "id": "r-1", "reporter": "tenant"},
    ),
    Address("api-events", OWN_API, "post"),
    Address("api-events-complete", OWN_API, "post", body={"source": "sample", "complete_to": "2026-03-05T09:00:00Z"}),
    # These know their callers by what is signed or by a one-time token, never by a session or a key.
    Address("api-enrol", everyone(400), "post"),
    Address("api-batches", everyone(404), "post"),
    Address("api-node-keys", everyone(404), "post"),
    Address("api-chain", everyone(404), "post"),
    Address("stripe-webhook", everyone(503), "post"),
]
# The sign-in of the back office, its words, and leaving it.
OPEN_IN_ADMIN = frozenset({"admin:login", "admin:jsi18n", "admin:logout"})
# Whether it is ready, and who is told figures, depends on the installation: see tests of forecourt.health and .metrics.
ELSEWHERE = frozenset({"health-ready", "metrics"})
