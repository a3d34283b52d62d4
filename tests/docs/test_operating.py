"""The example of a first contract runs as it stands, and the limits are those of the code."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.books import check_books
from billing.models import Term
from billing.reconciling.settling import ACCEPT, WAYS
from billing.stripe_events import SUBSCRIBED
from clusters.inventory import SeenAccelerator, record_accelerators
from clusters.models import Cluster
from forecourt.embedded.folder import FREE_BYTES_MIN
from metering.agent.config import Config
from tests.docs.pages import blocks_of, text_of
from tests.factories import make_node

PAGE = "docs/operating.md"


@pytest.mark.django_db
def test_the_first_contract_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    contract, lease = blocks_of(PAGE, "python")
    names: dict[str, Any] = {}
    exec(contract, names)  # the page's own words
    assert "enrol a node with fe_" in capsys.readouterr().out
    node = make_node(Cluster.objects.get(slug="my-cluster"))
    seen = SeenAccelerator("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, mig_mode=False)
    record_accelerators(node=node, seen=[seen], seen_at=timezone.now() - timedelta(days=1))
    exec(lease, names)
    assert Term.objects.get(kind="token_share").contract == names["contract"]
    [wording] = Term.objects.get(kind="lease").wordings.all()
    assert wording.document is not None
    assert wording.document["accelerator_model"] == "NVIDIA H100 80GB HBM3"
    assert all(check.holds for check in check_books())


def test_limits_are_those_of_the_code() -> None:
    text, config = text_of(PAGE), Config()
    assert f"keeps {config.spool_hours_max} hours or {config.spool_mib_max // 1024} GiB" in text
    assert f"127.0.0.1:{config.status_port}/healthz" in text
    assert f"less than {FREE_BYTES_MIN >> 20} MiB are free" in text


def test_the_events_that_stripe_sends_are_those_that_are_kept() -> None:
    section = text_of(PAGE).partition("## What Stripe calls")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)} == SUBSCRIBED


def test_every_difference_stands_with_its_ways_out() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| ([^|]+) \|$", text_of(PAGE), flags=re.MULTILINE))
    said = {kind: tuple(re.findall(r"\*\*([a-z_]+)\*\*", words)) for kind, words in rows.items() if kind in WAYS}
    assert said == {kind: tuple(way for way in ways if way != ACCEPT) for kind, ways in WAYS.items()}
