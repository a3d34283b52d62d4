"""What was agreed before terms had wordings is agreed after it, word for word, and nothing that is charged moves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from billing.bases import read_basis
from billing.basis import rate
from billing.contracting import add_term
from billing.models import Contract, Term, TermAllocation, TermDeployment
from billing.price_rules import rules_of
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.term_versions import broken_links
from billing.usage_spans import Window
from clusters.models import Allocation
from tests.billing.world import make_world
from tests.factories import make_accelerator, make_cluster, make_deployment, make_node, make_organization, make_slice

BEFORE = [("billing", "0011_price_guards")]
WITH_RULES = [("billing", "0020_granted_credit")]
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CARD = "NVIDIA H100"
FLOAT_LEASE = LeaseWording(accelerator_model=CARD)


@pytest.mark.django_db
def test_leases_and_shares_become_terms_with_the_same_line_keys() -> None:
    executor = MigrationExecutor(connection)
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "billing"]
    executor.migrate(BEFORE)
    old = executor.loader.project_state(BEFORE).apps
    provider, tenant = make_organization("provider", is_provider=True), make_organization("tenant")
    card = make_accelerator(make_node(make_cluster(provider, "site")), 0, CARD)
    held = Allocation.objects.create(slice=make_slice(card), tenant=tenant, from_at=START, to_at=None, created_at=START)
    deployment = make_deployment(provider, tenant)
    _fill(old, (provider.pk, tenant.pk), held.pk, deployment.pk)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    MigrationExecutor(connection).migrate(leaves)

    contract = Contract.objects.get()
    lease, ended, share = (Term.objects.get(ref=ref) for ref in ("L-0001", "L-0002", "S-0001"))
    assert lease.wording_at(START) == LeaseWording(accelerator_model=CARD, price_per_gpu_hour=Decimal("2.35"))
    assert ended.wording_at(START) == LeaseWording(accelerator_model=CARD)
    assert [(each.from_at, each.to_at) for each in ended.stretches()] == [(START, START + DAY)]
    assert share.wording_at(START) == TokenShareWording(
        share_percent=Decimal(30), witness="engine", tolerance_percent=Decimal("0.5")
    )
    assert TermAllocation.objects.get().allocation == held
    bound = TermDeployment.objects.get()
    assert (bound.term, bound.deployment, bound.from_at, bound.to_at) == (share, deployment, START, None)
    assert broken_links(contract) == []
    terms = json.loads(contract.versions.get().document)["terms"]
    assert [term["ref"] for term in terms] == ["L-0001", "L-0002", "S-0001"]
    [line] = rate(read_basis(Window(contract, START, START + DAY))).lines
    assert line.line_key == f"lease|L-0001|1|{CARD}|fixed|{int(START.timestamp())}"
    assert line.amount == Decimal("56.4")


@pytest.mark.django_db
def test_price_rules_become_terms_that_say_the_same_from_the_same_instants() -> None:
    world = make_world(tokens={("sample", "output"): "1"})
    add_term(
        contract=world.contract, wording=FLOAT_LEASE, from_at=world.contract.from_at, to_at=None, now=START, title="x"
    )
    executor = MigrationExecutor(connection)
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "billing"]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor.migrate(WITH_RULES)
    rules = executor.loader.project_state(WITH_RULES).apps.get_model("billing", "ContractPriceRule").objects
    for days, notice, version in ((5, 30, 1), (2, 60, 2), (9, 7, 2)):
        rules.create(
            contract_id=world.contract.pk,
            contract_version=version,
            from_at=START + days * DAY,
            document={"kind": "price_rule", "notice_days": notice},
            created_at=START,
        )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    MigrationExecutor(connection).migrate(leaves)

    stretches = rules_of([world.contract.pk])[world.contract.pk]
    assert [(one.wording.notice_days, one.from_at, one.contract_version) for one in stretches] == [
        (60, START + 2 * DAY, 2),
        (7, START + 9 * DAY, 2),
    ]
    term = Term.objects.get(kind="price_rule")
    assert (term.from_at, term.to_at, term.title) == (START + 2 * DAY, None, "Price rule")
    assert broken_links(world.contract) == []


def _fill(old: Any, parties: tuple[Any, Any], allocation_id: Any, deployment_id: Any) -> None:
    """A contract with a lease, one that is over, and a share, as they were stored then."""
    contract = old.get_model("billing", "Contract").objects.create(
        number="C-0001",
        provider_id=parties[0],
        tenant_id=parties[1],
        currency="USD",
        time_zone="UTC",
        state="active",
        from_at=START,
        period_kind="calendar_month",
        collection="send_invoice",
        created_at=START,
    )
    make_lease = old.get_model("billing", "Lease").objects.create
    given = {"contract": contract, "title": "cards", "accelerator_model": CARD, "from_at": START, "created_at": START}
    lease = make_lease(ref="L-0001", price_per_gpu_hour=Decimal("2.350000000000"), **given)
    make_lease(ref="L-0002", price_per_gpu_hour=None, to_at=START + DAY, **given)
    old.get_model("billing", "LeaseAllocation").objects.create(lease=lease, allocation_id=allocation_id)
    share = old.get_model("billing", "TokenShare").objects.create(
        contract=contract,
        ref="S-0001",
        title="tokens",
        share_percent=Decimal("30.0000"),
        collected_by="tenant",
        witness="engine",
        tolerance_percent=Decimal("0.5000"),
        from_at=START,
        created_at=START,
    )
    old.get_model("billing", "TokenShareDeployment").objects.create(term=share, deployment_id=deployment_id)
