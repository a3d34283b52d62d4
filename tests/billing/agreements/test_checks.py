"""What the issue of contracts calls bad input: refused by API and by form, with field, reason and example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from billing.agreements.drafting import propose
from billing.holding import WrongTerms
from billing.models import Amendment, Contract, ContractVersion, Term, TermWording
from clusters.models import Allocation
from tenants.api_keys import issue_key
from tests.billing.agreements.agreed import (
    PRICES,
    accepted,
    lease_wording,
    new_lease,
    offered,
    provider,
    share_wording,
)
from tests.billing.pages.reading import text_of
from tests.billing.world import H100, MARCH, World, make_world
from tests.factories import Cast, make_deployment
from tests.kept import kept

pytestmark = pytest.mark.django_db

AT = "2026-03-05T12:00:00Z"
TABLES = (Amendment, Term, TermWording, ContractVersion, Allocation)


@dataclass(frozen=True)
class Bad:
    """A change that is refused: its field within the change, and words of the reason."""

    said: dict[str, Any]
    field: str
    words: str
    status: int = 422


def tiers(*rows: tuple[str, str | None]) -> dict[str, Any]:
    shown = [{"from_base_amount": low, "to_base_amount": high, "share_percent": "20"} for low, high in rows]
    return {"kind": "token_share", "tiers": shown, "witness": "gateway"}


def lease(**fields: Any) -> dict[str, Any]:
    return {**lease_wording(), **fields}


def counted(*rows: dict[str, Any]) -> dict[str, Any]:
    table = {"name": "main", "quantities": ["output"], "mode": "graduated", "span": "period", "price_unit": "per_mtok"}
    return {"kind": "token_price", "witness": "gateway", "tiers": [{**table, "tiers": list(rows)}]}


BAD = {
    "term that contradicts itself": Bad(
        {"wording": lease(flat_amount_per_period="5")}, "wording.flat_amount_per_period", "one price"
    ),
    "hole in tiers": Bad({"wording": tiers(("0", "10"), ("20", None))}, "wording.tiers[1].from_base_amount", "10"),
    "overlap of tiers": Bad({"wording": tiers(("0", "10"), ("5", None))}, "wording.tiers[1].from_base_amount", "10"),
    "share above 100 %": Bad({"wording": share_wording("100.5")}, "wording.share_percent", "100"),
    "zero-length time": Bad({"wording": lease(), "to_at": AT}, "to_at", "empty"),
    "time backwards": Bad({"wording": lease(), "to_at": "2026-03-04T00:00:00Z"}, "to_at", "empty"),
    "local time that occurs twice": Bad({"wording": lease(), "from_at": "2026-10-25T02:30"}, "from_at", "twice"),
    "local time that never occurs": Bad({"wording": lease(), "from_at": "2026-03-29T02:30"}, "from_at", "not exist"),
    "before the contract": Bad({"wording": lease(), "from_at": "2026-01-01T00:00:00Z"}, "from_at", "before"),
    "unknown accelerator model": Bad(
        {"wording": lease(accelerator_model="NVIDIA Q9000")}, "wording.accelerator_model", f"Q9000. Example: {H100}"
    ),
    "unknown accelerator model on demand": Bad(
        {"wording": {"kind": "on_demand", "accelerator_model": "NVIDIA Q9000", "price_per_gpu_hour": "2"}},
        "wording.accelerator_model",
        f"Q9000. Example: {H100}",
    ),
    "unknown model of a discount": Bad(
        {"wording": {"kind": "discount", "percent": "5", "models": ["sample-modal"]}},
        "wording.models[0]",
        "no model sample-modal",
    ),
    "unknown model of a share": Bad(
        {"wording": share_wording() | {"share_by": [{"model": "none-such", "share_percent": "5"}]}},
        "wording.share_by[0].model",
        "no model none-such",
    ),
    "share above 100 % of a model": Bad(
        {"wording": share_wording() | {"share_by": [{"model": "none-such", "share_percent": "101"}]}},
        "wording.share_by[0].share_percent",
        "101",
    ),
    "negative amount": Bad(
        {"wording": {"kind": "commitment", "amount_per_period": "-5"}}, "wording.amount_per_period", "-5 is negative"
    ),
    "negative price": Bad({"wording": lease(price_per_gpu_hour="-1")}, "wording.price_per_gpu_hour", "negative"),
    "number in another notation": Bad({"wording": lease(price_per_gpu_hour="1,5")}, "wording.price_per_gpu_hour", ""),
    "unknown scope": Bad(
        {"wording": {"kind": "discount", "percent": "5", "terms": ["L-9"]}}, "wording.terms", "no term L-9"
    ),
    "unknown scope of a grant": Bad(
        {
            "wording": {
                "kind": "credit",
                "grants": [{"name": "w", "amount": "5", "from_at": "2026-03-05T12:00:00Z", "terms": ["L-9"]}],
            }
        },
        "wording.grants[0].terms",
        "no term L-9",
    ),
    "unknown scope of a commitment": Bad(
        {"wording": {"kind": "commitment", "amount_per_period": "5", "terms": ["L-9"]}}, "wording.terms", "no term L-9"
    ),
}
BY_API_ALONE = {
    "tiers of counts that fall": Bad(
        {"wording": counted({"up_to": 10, "price": "2"}, {"up_to": 5, "price": "1"}, {"price": "1"})},
        "wording.tiers[0].tiers[1].up_to",
        "5 does not lie above 10",
    ),
    "negative count in tiers": Bad(
        {"wording": counted({"up_to": -10, "price": "2"}, {"price": "1"})}, "wording.tiers[0].tiers[0].up_to", "-10"
    ),
    "overlapping lease": Bad({"wording": lease(), "slices": "held"}, "slices", "held", 409),
    "other currency": Bad({"wording": lease(), "currency": "EUR"}, "currency", "USD"),
    "unknown term": Bad({"wording": lease(), "ref": "L-9"}, "ref", "no term L-9"),
    "end of nothing": Bad({"wording": None}, "wording", "there is"),
    "negative quantity": Bad({"wording": lease(cards=-1)}, "wording", "cards"),
    "lease of nothing": Bad({"wording": lease(), "slices": []}, "slices", "at least one"),
}


def make_let(cast: Cast) -> World:
    world = make_world(tokens=PRICES, gpus={H100: "2"}, time_zone="Europe/Berlin", parties=(cast.provider, cast.tenant))
    world.lease(1, from_at=MARCH)
    return world


def counts() -> list[int]:
    return [table._default_manager.count() for table in TABLES]


def program(cast: Cast) -> Client:
    key = issue_key(organization=cast.provider, name="sync", scopes=("contracts:write",), actor="test", now=MARCH)
    return Client(headers={"Authorization": f"Bearer {key.secret}"})


def proposed(world: World, bad: Bad) -> dict[str, Any]:
    """The change, with a slice where its kind takes some."""
    change = {"from_at": AT, **bad.said}
    kind = (change["wording"] or {}).get("kind")
    if change.get("slices") == "held":
        change["slices"] = [str(Allocation.objects.earliest("pk").slice_id)]
    elif kind == "lease" and "slices" not in change:
        change["slices"] = [str(each.id) for each in world.make_slices(1)]
    return change


world = kept(make_let)


@pytest.mark.parametrize("name", [*BAD, *BY_API_ALONE])
def test_bad_input_is_refused_by_the_api_and_nothing_is_stored(cast: Cast, name: str) -> None:
    bad, world = {**BAD, **BY_API_ALONE}[name], make_let(cast)
    change = proposed(world, bad)
    before = counts()
    path = f"/api/v1/contracts/{world.contract.id}/amendments"
    answer = program(cast).post(path, {"changes": [change]}, content_type="application/json")
    told = answer.json()
    assert answer.status_code == bad.status, told
    assert told["field"].startswith(f"changes[0].{bad.field}"), told
    assert bad.words in f"{told['reason']} Example: {told['example']}", told
    assert told["reason"]
    assert told["example"]
    assert counts() == before


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_the_form_and_nothing_is_stored(cast: Cast, name: str) -> None:
    bad, world = BAD[name], make_let(cast)
    given = form_of({"from_at": AT, **bad.said})
    world.make_slices(1)
    before = counts()
    petra = Client()
    petra.force_login(cast.petra)
    answer = petra.post(f"/p/contracts/{world.contract.id}/amend/", given)
    assert answer.status_code == 422
    assert bad.words in text_of(answer)
    [field] = marked(answer)
    assert bad.field.removeprefix("wording.").startswith(field.removeprefix("w-"))
    assert counts() == before


def test_slices_that_others_hold_are_refused_by_the_form_with_how_many_are_free(cast: Cast) -> None:
    world = make_let(cast)
    before = counts()
    petra = Client()
    petra.force_login(cast.petra)
    given = form_of({"from_at": AT, "wording": lease()})
    answer = petra.post(f"/p/contracts/{world.contract.id}/amend/", given)
    assert answer.status_code == 422
    assert "Only 0 slices of this card model are free then." in text_of(answer)
    assert marked(answer) == ["cards"]
    assert counts() == before


def marked(answer: Any) -> list[str]:
    """The fields of a form at which something is said to be wrong; nothing is said above the form."""
    page = answer.content.decode()
    assert 'class="notice bad"' not in page
    return re.findall(r'<ul class="errorlist" id="id_([\w.-]+)_error">', page)


def form_of(change: dict[str, Any]) -> dict[str, Any]:
    """What a browser sends of a change."""
    wording = dict(change["wording"])
    kind = wording.pop("kind")
    fields: dict[str, Any] = {}
    for name, value in wording.items():
        fields |= fields_of(f"w-{name}", value)
    more = {"cards": "1"} if kind == "lease" else {}
    return {"kind": kind, "from_at": change["from_at"], "to_at": change.get("to_at", ""), **fields, **more}


def fields_of(name: str, value: Any) -> dict[str, Any]:
    """A list of words is one field, a list of entries a table."""
    if not isinstance(value, list):
        return {name: value}
    if not all(isinstance(each, dict) for each in value):
        return {name: ", ".join(value)}
    return {
        f"{name}.{row}.{part}": "" if said is None else ", ".join(said) if isinstance(said, list) else said
        for row, entry in enumerate(value)
        for part, said in entry.items()
    }


def refused(world: World, change: dict[str, Any], match: str) -> WrongTerms:
    with pytest.raises(WrongTerms, match=match) as caught:
        propose(contract_id=world.contract.id, changes=[change], by=provider(world), now=MARCH)
    return caught.value


def test_a_scope_may_name_a_term_of_the_contract_or_of_the_same_proposal_but_not_itself(world: World) -> None:
    known = Term.objects.get().ref
    discount = {"kind": "discount", "percent": "5", "terms": [known]}
    made = accepted(world, offered(world, {"from_at": AT, "wording": discount}))
    ref = made.contract.terms.get(kind="discount").ref
    change = {"ref": ref, "from_at": "2026-03-06T00:00:00Z", "wording": {**discount, "terms": [ref]}}
    error = refused(world, change, "this term itself")
    assert (error.extra["field"], error.extra["example"]) == ("changes[0].wording.terms", known)


def test_a_lease_cannot_become_one_of_another_model_with_the_cards_that_it_holds(world: World) -> None:
    ref = Term.objects.get().ref
    world.make_slices(1, model="NVIDIA A100 80GB")
    change = {"ref": ref, "from_at": AT, "wording": lease(accelerator_model="NVIDIA A100 80GB")}
    assert refused(world, change, "no NVIDIA A100").extra["field"] == "changes[0].slices"
    assert refused(world, {**change, "wording": lease(), "slices": []}, "at least one").extra["example"]


def test_a_share_cannot_be_left_without_deployments(world: World) -> None:
    ref = world.share().term.ref
    change = {"ref": ref, "from_at": AT, "wording": share_wording(), "deployments": []}
    assert refused(world, change, "at least one deployment").extra["field"] == "changes[0].deployments"


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def filled(client: Client, path: str) -> dict[str, Any]:
    form: Any = client.get(path).context["form"]
    return {name: form[name].value() for name in form.fields if form[name].value() not in (None, "", False)}


def of_lease(cast: Cast, change: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[World, dict[str, Any]]:
    """What the form of a lease of two cards makes of a change to its fields."""
    world = make_world(tokens=PRICES, gpus={H100: "2"}, parties=(cast.provider, cast.tenant))
    accepted(world, offered(world, new_lease(world.make_slices(2))))
    world.make_slices(3)
    ref = world.contract.terms.get().ref
    petra, path = signed_in(cast.petra), f"/p/contracts/{world.contract.id}/amend/"
    ahead = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")
    given = {**filled(petra, f"{path}?term={ref}"), "term": ref, "from_at": ahead}
    answer = petra.post(path, change(given))
    assert answer.status_code == 302, text_of(answer)
    [found] = Amendment.objects.latest("created_at").changes
    return world, found


@pytest.mark.usefixtures("told_contexts")
def test_a_form_left_as_it_is_keeps_the_slices_of_a_lease(cast: Cast) -> None:
    _, change = of_lease(cast, lambda given: {**given, "w-price_per_gpu_hour": "2"})
    assert change["slices"] is None
    assert change["wording"]["price_per_gpu_hour"] == "2"


@pytest.mark.usefixtures("told_contexts")
def test_a_form_gives_one_slice_back_and_adds_two(cast: Cast) -> None:
    world, change = of_lease(cast, lambda given: {**given, "kept": given["kept"][:1], "cards": "2"})
    held = {str(key) for key in Allocation.objects.values_list("slice_id", flat=True)}
    assert len(change["slices"]) == 3
    assert len(held & set(change["slices"])) == 1
    assert Contract.objects.get(pk=world.contract.pk).version == 1  # nothing is agreed yet


@pytest.mark.usefixtures("told_contexts")
def test_a_form_changes_the_deployments_of_a_share(cast: Cast) -> None:
    world = make_world(tokens=PRICES, parties=(cast.provider, cast.tenant))
    shared, path = world.share(), f"/p/contracts/{world.contract.id}/amend/"
    other = make_deployment(cast.provider, cast.tenant)
    petra = signed_in(cast.petra)
    given = {**filled(petra, f"{path}?term={shared.term.ref}"), "term": shared.term.ref, "from_at": AT}
    assert given["deployments"] == [str(shared.deployment.id)]
    assert petra.post(path, given).status_code == 302
    assert Amendment.objects.get().changes[0]["deployments"] is None
    both = sorted([str(shared.deployment.id), str(other.id)])
    answer = petra.post(path, {**given, "draft": str(Amendment.objects.get().id), "deployments": both})
    assert answer.status_code == 302, text_of(answer)
    assert Amendment.objects.get().changes[0]["deployments"] == both


@pytest.mark.parametrize("side", ["p", "t"])
def test_either_side_drafts_a_lease_of_free_cards_by_form(cast: Cast, side: str) -> None:
    world = make_let(cast)
    world.make_slices(2)
    browser = Client()
    browser.force_login(cast.petra if side == "p" else cast.alice)
    answer = browser.post(f"/{side}/contracts/{world.contract.id}/amend/", form_of({"from_at": AT, "wording": lease()}))
    assert answer.status_code == 302, text_of(answer)
    [change] = Amendment.objects.get().changes
    assert len(change["slices"]) == 1
