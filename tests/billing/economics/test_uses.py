"""What a node's cards did in an hour."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.uses import NodeHour, Tokens, Use, Used, UseKind, uses_of
from tests.examples import examples

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = 3_600_000
IDLE = Use(UseKind.IDLE, "", "")


def node(**given_: object) -> NodeHour:
    return NodeHour(**{"node": "n1", "hour_at": AT, "capacity_ms": {"H100": 2 * HOUR}, **given_})  # type: ignore[arg-type] # fields are varied by name


def test_what_nobody_holds_and_nobody_is_served_from_is_idle() -> None:
    assert uses_of(node()) == {IDLE: Used({"H100": 2 * HOUR})}


def test_held_time_without_tokens_is_the_cards() -> None:
    uses = uses_of(node(held_ms={("alice", "H100"): HOUR}))
    assert uses == {Use(UseKind.HELD, "alice", "H100"): Used({"H100": HOUR}), IDLE: Used({"H100": HOUR})}


def test_held_time_goes_to_the_holders_models_by_work_and_the_rest_to_other_tenants() -> None:
    uses = uses_of(
        node(
            held_ms={("alice", "H100"): HOUR},
            tokens={
                ("alice", "big"): Tokens(input=300),
                ("alice", "small"): Tokens(input=100),
                ("bob", "big"): Tokens(output=5),
            },
        )
    )
    assert uses[Use(UseKind.HELD, "alice", "big")].gpu_ms == {"H100": HOUR * 3 // 4}
    assert uses[Use(UseKind.HELD, "alice", "small")].gpu_ms == {"H100": HOUR // 4}
    assert uses[Use(UseKind.SERVED, "bob", "big")].gpu_ms == {"H100": HOUR}
    assert IDLE not in uses


def test_tokens_on_cards_that_somebody_else_holds_have_no_time_of_their_own() -> None:
    uses = uses_of(node(held_ms={("alice", "H100"): 2 * HOUR}, tokens={("bob", "big"): Tokens(input=1)}))
    served = uses[Use(UseKind.SERVED, "bob", "big")]
    assert (served.total_ms, served.tokens.total) == (0, 1)


def test_cached_input_weighs_a_tenth_and_output_four_times() -> None:
    assert Tokens(input=10, cached_input=10).work * 10 == Tokens(input=10).work
    assert Tokens(output=1).work == Tokens(input=4).work
    assert Tokens(cached_input=5).work == 0  # a part of an input that was not counted is none


def test_energy_goes_to_the_tenant_it_is_known_for_and_the_rest_to_time_without() -> None:
    uses = uses_of(
        node(
            held_ms={("alice", "H100"): HOUR},
            energy_mj={"alice": 900, "": 100},
            metered_ms={"alice": HOUR, "": HOUR},
        )
    )
    alice = uses[Use(UseKind.HELD, "alice", "H100")]
    assert (alice.energy_mj, alice.metered_ms) == (900, HOUR)
    assert (uses[IDLE].energy_mj, uses[IDLE].metered_ms) == (100, HOUR)


def test_time_without_energy_is_not_time_with_zero_energy() -> None:
    uses = uses_of(node(held_ms={("alice", "H100"): HOUR}, energy_mj={"alice": 900}, metered_ms={"alice": HOUR}))
    assert (uses[IDLE].energy_mj, uses[IDLE].metered_ms) == (0, 0)


def test_energy_of_a_tenant_that_holds_nothing_there_is_shared_by_all() -> None:
    uses = uses_of(node(energy_mj={"bob": 7}, metered_ms={"bob": HOUR}))
    assert (uses[IDLE].energy_mj, uses[IDLE].metered_ms) == (7, HOUR)


def test_energy_of_a_node_without_cards_in_service_is_idle() -> None:
    assert uses_of(node(capacity_ms={}, energy_mj={"": 7}, metered_ms={"": HOUR})) == {IDLE: Used({}, energy_mj=7)}


tenants = st.sampled_from(["alice", "bob", "carol"])
cards = st.sampled_from(["H100", "A100"])
amounts = st.integers(0, 10**9)
made = st.builds(Tokens, input=amounts, cached_input=amounts, cache_write=amounts, output=amounts)


@settings(max_examples=examples(25))
@given(
    free=st.dictionaries(cards, st.integers(0, 8 * HOUR)),
    held=st.dictionaries(st.tuples(tenants, cards), st.integers(0, 8 * HOUR), max_size=4),
    energy=st.dictionaries(st.sampled_from(["", "alice", "bob"]), amounts),
    metered=st.dictionaries(st.sampled_from(["", "alice", "bob"]), st.integers(0, 20 * HOUR)),
    tokens=st.dictionaries(st.tuples(tenants, st.sampled_from(["big", "small"])), made, max_size=4),
)
def test_time_energy_and_tokens_sum_to_the_nodes(
    free: dict[str, int],
    held: dict[tuple[str, str], int],
    energy: dict[str, int],
    metered: dict[str, int],
    tokens: dict[tuple[str, str], Tokens],
) -> None:
    capacity = dict(free)
    for (_, card), ms in held.items():
        capacity[card] = capacity.get(card, 0) + ms
    uses = uses_of(node(capacity_ms=capacity, held_ms=held, energy_mj=energy, metered_ms=metered, tokens=tokens))
    for card, ms in capacity.items():
        assert sum(used.gpu_ms.get(card, 0) for used in uses.values()) == ms
    assert sum(used.energy_mj for used in uses.values()) == sum(energy.values())
    assert all(0 <= used.metered_ms <= used.total_ms for used in uses.values())
    assert sum(used.metered_ms for used in uses.values()) <= sum(metered.values())
    assert sum((used.tokens.total for used in uses.values()), 0) == sum(one.total for one in tokens.values())
    for tenant in ("alice", "bob", "carol"):
        mine = sum(used.total_ms for use, used in uses.items() if use.kind is UseKind.HELD and use.tenant == tenant)
        assert mine == sum(ms for (holder, _), ms in held.items() if holder == tenant)
