"""Connected accounts: made empty, filled in by their owners, paid by transfers; and their own little balances."""

from typing import Any

from tests.fakes.stripe_double import listing
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata, new_secret
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

LINK_S = 300
FIRST_NEEDS = ["business_profile.url", "external_account", "representative.first_name", "tos_acceptance.date"]
_CURRENCIES = {"US": "usd", "GB": "gbp", "CH": "chf", "CA": "cad", "SE": "sek", "DK": "dkk", "NO": "nok", "PL": "pln"}


def _create(call: Call) -> JsonObject:
    check_metadata(call.params)
    country = call.params.get("country", "US")
    wanted = call.params.get("capabilities") or {}
    made = call.work.add(
        "account",
        business_profile={"url": None, "name": None},
        business_type=call.params.get("business_type"),
        capabilities={name: "inactive" for name, one in wanted.items() if one.get("requested")},
        charges_enabled=False,
        controller=call.params.get("controller"),
        country=country,
        default_currency=_CURRENCIES.get(country, "eur"),
        details_submitted=False,
        email=call.params.get("email"),
        metadata=merged_metadata(None, call.params.get("metadata", "")),
        payouts_enabled=False,
        requirements=_requirements(FIRST_NEEDS, "requirements.past_due"),
        type="express",
        _balance={},
    )
    call.work.emit("account.updated", made, account=made["id"])
    return made


def _requirements(due: list[str], disabled_reason: str | None) -> JsonObject:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def _link(call: Call) -> JsonObject:
    found = call.work.get(call.params["account"], "account", "account")
    for name in ("refresh_url", "return_url"):
        if name not in call.params:
            raise Refusal(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    token = new_secret("link")
    found["_links"] = {**found.get("_links", {}), token: call.params["return_url"]}
    return {
        "object": "account_link",
        "created": call.work.now,
        "expires_at": call.work.now + LINK_S,
        "url": f"{call.base_url}/_double/onboarding/{found['id']}/{token}",
    }


def onboard(work: Work, account_id: str) -> JsonObject:
    """The owner fills in everything, and Stripe is content."""
    found = work.get(account_id, "account")
    found.update(
        details_submitted=True,
        payouts_enabled=True,
        capabilities=dict.fromkeys(found["capabilities"], "active"),
        requirements=_requirements([], None),
    )
    work.emit("account.updated", found, account=found["id"])
    return found


def restrict(work: Work, account_id: str) -> JsonObject:
    """Stripe asks for more and stops everything until it gets it."""
    found = work.get(account_id, "account")
    found.update(
        payouts_enabled=False,
        capabilities=dict.fromkeys(found["capabilities"], "inactive"),
        requirements=_requirements(["company.tax_id"], "requirements.past_due"),
    )
    work.emit("account.updated", found, account=found["id"])
    return found


def can_receive(found: JsonObject) -> bool:
    """Whether transfers may go there."""
    return bool((found["capabilities"] or {}).get("transfers") == "active")


def change_balance(found: JsonObject, currency: str, amount: int) -> None:
    """Change what the connected account itself holds."""
    found["_balance"] = {**found["_balance"], currency: found["_balance"].get(currency, 0) + amount}


def pay_out(work: Work, account_id: str, currency: str) -> JsonObject:
    """All that the connected account holds goes to its owner's bank."""
    found = work.get(account_id, "account")
    change_balance(found, currency, -found["_balance"].get(currency, 0))
    return found


def _update(call: Call) -> JsonObject:
    check_metadata(call.params)
    found = call.work.get(call.id, "account")
    plain: dict[str, Any] = {name: call.params[name] for name in ("email", "business_type") if name in call.params}
    found.update(plain)
    found["metadata"] = merged_metadata(found["metadata"], call.params.get("metadata", {}))
    call.work.emit("account.updated", found, account=found["id"])
    return found


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("account"), call.params, "/v1/accounts")


HANDLERS: Handlers = {
    ("POST", "/v1/accounts"): _create,
    ("GET", "/v1/accounts"): _list,
    ("GET", "/v1/accounts/{account}"): lambda call: call.work.get(call.id, "account"),
    ("POST", "/v1/accounts/{account}"): _update,
    ("POST", "/v1/account_links"): _link,
}
