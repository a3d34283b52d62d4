"""Every exporter's page, in its own format, and the traps on it."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.accelerators import load_accelerators
from metering.agent.card_pages import CardObservation, PageCard, observe_cards
from metering.agent.exposition import parse_page
from tests.fakes.card_pages import recorded_cards

NODE = "node-1"
MAPPINGS = load_accelerators()


def observe(kind: str, text: str) -> CardObservation:
    mapping = MAPPINGS[kind]
    return observe_cards(parse_page(text.encode(), mapping.series), mapping, NODE)


def first(kind: str, text: str) -> PageCard:
    seen = observe(kind, text)
    assert (seen.faults, seen.page_fault) == ((), None)
    return next(iter(seen.cards.values()))


PAGES: list[tuple[str, str, int, dict[str, Any], dict[str, int]]] = [
    (
        "dcgm_exporter",
        "dcgm_exporter",
        2,
        {
            "uuid": "GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4690",
            "serial": None,
            "model": "NVIDIA H100 80GB HBM3",
            "pci_bus_id": "00000000:18:00.0",
            "driver_version": "580.65.06",
        },
        {
            "energy_mj": 15_152_422_938,
            "power_mw": 648_244,
            "utilisation_percent": 98,
            "memory_used_mib": 70_077,
            "memory_mib": 81_559,
            "graphics_permille": 941,
            "sm_permille": 612,
            "tensor_permille": 240,
        },
    ),
    (
        "dcgm_exporter",
        "dcgm_renamed",
        1,
        {"uuid": "GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4690"},
        {
            "energy_mj": 15_152_422_938,
            "power_mw": 648_244,
            "utilisation_percent": 98,
            "graphics_permille": 941,
            "sm_permille": 612,
            "tensor_permille": 240,
        },
    ),
    (
        "amd",
        "amd",
        2,
        {"uuid": "AMD-692409005400", "serial": "692409005400", "model": "AMD Instinct MI300X OAM"},
        {
            "energy_mj": 139_712_293_120,
            "power_mw": 748_000,
            "utilisation_percent": 97,
            "memory_used_mib": 183_265,
            "memory_mib": 196_288,
        },
    ),
    (
        "ascend",
        "ascend",
        2,
        {
            "uuid": "NPU-65A2E81C-2060051B-8EA8B000-12345678-90ABCDEF",
            "model": "Ascend910B3",
            "pci_bus_id": "0000:C0:00.0",
            "sampled_at_ms": 1_795_428_000_000,
        },
        # No energy: watts are a gauge and are not integrated.
        {"power_mw": 344_700, "utilisation_percent": 88, "memory_used_mib": 58_123, "memory_mib": 65_536},
    ),
    (
        "cambricon",
        "cambricon",
        1,
        {"uuid": "MLU-20221191-0520-0000-0000-000000000000", "serial": "502211910520", "model": "MLU370-X8"},
        {"power_mw": 187_000, "utilisation_percent": 76, "memory_used_mib": 40_960, "memory_mib": 49_152},
    ),
    (
        "gaudi",
        "gaudi",
        1,
        {"uuid": "HL-01P0-HL2080A0-15-TNPS34-20-07-00", "serial": "AN44012300", "model": ""},
        {
            "energy_mj": 987_654_321,
            "power_mw": 312_000,
            "utilisation_percent": 64,
            "memory_used_mib": 76_800,
            "memory_mib": 98_304,
        },
    ),
    (
        "tpu",
        "tpu",
        2,
        {"uuid": "TPU-node-1:4804027520486571036-0", "model": "tpu-v6e-slice"},
        {"utilisation_percent": 93, "tensor_permille": 225, "memory_used_mib": 18_894, "memory_mib": 31_996},
    ),
    (
        "neuron",
        "neuron",
        2,
        {"uuid": "NC-i-09db9b55e0095612f:0", "model": "trn1n.32xlarge"},
        # Two runtimes on one core.
        {"utilisation_percent": 45},
    ),
    (
        "all_smi",
        "all_smi",
        1,
        {"uuid": "GPU-12345", "model": "NVIDIA H200 141GB HBM3"},
        {
            "energy_mj": 8_430_001_500,
            "power_mw": 400_500,
            "utilisation_percent": 42,
            "memory_used_mib": 32_768,
            "memory_mib": 143_771,
        },
    ),
    (
        "nvidia_gpu_exporter",
        "nvidia_gpu_exporter",
        1,
        {
            "uuid": "GPU-df6e7a7c-7314-46f8-abc4-b88b36dcf3aa",
            "serial": None,
            "model": "NVIDIA GeForce RTX 2080 SUPER",
            "pci_bus_id": "00000000:71:00.0",
        },
        {
            "energy_mj": 15_152_422_938,
            "power_mw": 28_070,
            "utilisation_percent": 7,
            "memory_used_mib": 704,
            "memory_mib": 8_192,
        },
    ),
]


@pytest.mark.parametrize(("kind", "recorded", "cards", "identity", "values"), PAGES, ids=[row[1] for row in PAGES])
def test_a_page_gives_its_cards(
    kind: str, recorded: str, cards: int, identity: dict[str, Any], values: dict[str, int]
) -> None:
    card = first(kind, recorded_cards(recorded))
    assert len(observe(kind, recorded_cards(recorded)).cards) == cards
    found = asdict(card)
    assert {name: found[name] for name in identity} == identity
    assert card.values == values


def test_every_built_in_exporter_has_its_page() -> None:
    assert {row[0] for row in PAGES} == set(MAPPINGS)


def test_an_idle_card_has_zeros_and_what_is_not_shown_is_unknown() -> None:
    cards = observe("dcgm_exporter", recorded_cards("dcgm_exporter")).cards
    idle = cards["GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4691"]
    assert (idle.values["utilisation_percent"], idle.values["memory_used_mib"]) == (0, 0)
    # Profiling is on the page for the other card only.
    assert "graphics_permille" not in idle.values


def test_mig_repeats_the_cards_power_and_energy_and_not_the_instances_memory() -> None:
    card = first("dcgm_exporter", recorded_cards("dcgm_mig"))
    assert (card.values["energy_mj"], card.values["power_mw"]) == (8_151_524_229, 55_415)
    assert card.values["memory_used_mib"] == 12_968 + 728
    # Nobody said how large the card is or how busy it was as a whole.
    assert {"memory_mib", "graphics_permille", "utilisation_percent"} & set(card.values) == set()
    assert {key: (part.name, part.profile, part.values) for key, part in card.instances.items()} == {
        "3": (
            f"{card.uuid}/gi3",
            "2g.20gb",
            {"memory_used_mib": 12_968, "memory_mib": 19_968, "graphics_permille": 996},
        ),
        "9": (f"{card.uuid}/gi9", "1g.10gb", {"memory_used_mib": 728, "memory_mib": 9_728, "graphics_permille": 0}),
    }


def test_a_card_shared_by_two_containers_counts_once() -> None:
    text = recorded_cards("dcgm_exporter")
    line = next(each for each in text.splitlines() if each.startswith("DCGM_FI_DEV_TOTAL_ENERGY"))
    shared = "".join(f"{line.replace('}', f',pod={chr(34)}p{n}{chr(34)}}}')}\n" for n in range(2))
    assert first("dcgm_exporter", text.replace(f"{line}\n", shared)).values["energy_mj"] == 15_152_422_938


def test_a_partitioned_amd_card_is_one_card() -> None:
    card = first("amd", recorded_cards("amd_partitioned"))
    assert card.values == {
        "energy_mj": 139_712_293_120,
        "power_mw": 512_000,
        "utilisation_percent": 50,
        "memory_used_mib": 3_000,
    }


def test_amd_names_with_the_operators_prefix_and_the_older_power() -> None:
    text = recorded_cards("amd").replace("gpu_package_power", "gpu_gone")
    assert first("amd", text).values["power_mw"] == 0
    prefixed = "\n".join(
        line.replace("# TYPE gpu_", "# TYPE amd_gpu_") if line.startswith("#") else f"amd_{line}"
        for line in recorded_cards("amd").splitlines()
    )
    assert first("amd", f"{prefixed}\n").values["energy_mj"] == 139_712_293_120


def test_an_amd_card_without_a_serial_is_named_by_its_uuid() -> None:
    text = recorded_cards("amd").replace('serial_number="692409005400"', 'serial_number="N/A"')
    seen = observe("amd", text).cards
    assert set(seen) == {"AMD-ccff74a1-0000-1000-80e0-c6d49f5b0d80", "AMD-692409005401"}


def test_an_older_ascend_page_names_a_chip_by_its_machine_too() -> None:
    text = 'npu_chip_info_power{id="0"} 150.5\nnpu_chip_info_utilization{id="0"} 75.5\n'
    card = first("ascend", text)
    assert (card.uuid, card.values) == (f"NPU-{NODE}:0", {"power_mw": 150_500, "utilisation_percent": 76})


def test_gaudis_watts_that_are_milliwatts_are_left_alone() -> None:
    text = "".join(f"{line}\n" for line in recorded_cards("gaudi").splitlines() if "habanalabs_power_mW" not in line)
    assert "power_mw" not in first("gaudi", text).values


@pytest.mark.parametrize(
    ("value", "reason"), [("NaN", "not_a_number"), ("+Inf", "not_a_number"), ("-1", "out_of_range"), ("x", "malformed")]
)
def test_a_value_that_is_none_makes_that_cards_quantity_unknown(value: str, reason: str) -> None:
    text = recorded_cards("amd").replace("1.3971229312e+14", value)
    seen = observe("amd", text)
    assert [fault.reason for _, fault in seen.faults] == [reason]
    assert "energy_mj" not in seen.cards["AMD-692409005400"].values
    assert seen.cards["AMD-692409005400"].values["power_mw"] == 748_000
    if reason != "malformed":
        assert seen.cards["AMD-692409005401"].values["energy_mj"] == 98_765_432_101


def test_an_impossible_share_is_a_fault_and_not_a_reading() -> None:
    seen = observe("dcgm_exporter", recorded_cards("dcgm_exporter").replace("} 98\n", "} 9800\n"))
    ((uuid, fault),) = seen.faults
    assert (uuid, fault.reason) == ("GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f4690", "out_of_range")
    assert "utilisation_percent" not in seen.cards[uuid].values


def test_a_series_of_another_type_is_not_read() -> None:
    text = recorded_cards("dcgm_exporter").replace(
        "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter", "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION gauge"
    )
    seen = observe("dcgm_exporter", text)
    assert [(uuid, fault.reason) for uuid, fault in seen.faults] == [("", "wrong_type")]
    assert all("energy_mj" not in card.values for card in seen.cards.values())


def test_a_page_without_its_last_line_is_not_read() -> None:
    seen = observe("amd", recorded_cards("amd").rstrip("\n"))
    assert (seen.page_fault is not None, seen.cards) == (True, {})


def test_a_page_that_invents_cards_is_bounded() -> None:
    text = "".join(f'mlu_power_usage{{uuid="u{n}"}} 1\n' for n in range(1_000))
    assert len(observe("cambricon", text).cards) == 256


def test_a_sample_without_a_name_is_nobodys() -> None:
    assert observe("cambricon", 'mlu_power_usage{uuid=""} 1\nmlu_power_usage 2\n').cards == {}


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(MAPPINGS)),
    cut=st.integers(0, 4_000),
    noise=st.sampled_from(["", "NaN", "-5", "1e30", "0.5", "9" * 30, 'x="', "\\", "\n", "}", " 12 34", "\x00"]),
)
def test_a_damaged_page_gives_bounded_figures_or_faults(kind: str, cut: int, noise: str) -> None:
    text = recorded_cards(kind)
    seen = observe(kind, f"{text[:cut]}{noise}{text[cut + len(noise) :]}\n")
    for card in seen.cards.values():
        for quantity, value in card.values.items():
            assert 0 <= value < 2**63
            assert value <= 100 or quantity != "utilisation_percent"
