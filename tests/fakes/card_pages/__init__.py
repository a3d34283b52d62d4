"""Pages of accelerators' exporters in their own format."""

from pathlib import Path

FOLDER = Path(__file__).parent


def recorded_cards(name: str) -> str:
    """The page of an exporter: `dcgm_exporter`, `dcgm_mig`, `amd`, `ascend`, …"""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
