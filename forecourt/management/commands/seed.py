"""Makes a minimal world in an empty database and prints what a script needs to use it."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from billing.contracting import add_token_share, open_contract
from billing.models import PriceBook
from billing.pricing import publish_price_version
from clusters.enrolment import issue_token
from clusters.models import Deployment
from forecourt.sample import Parties, make_cluster, make_parties, make_person
from metering.models import Witness
from tenants.api_keys import issue_key
from tenants.problems import Problem

MODEL = "sample-model"
TOKEN_VALID_FOR = timedelta(days=7)


class Command(BaseCommand):
    """`manage.py seed [--json]`."""

    help = "Make a provider, a tenant, a cluster, a contract, an enrolment token and API keys in an empty database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON for scripts")

    def handle(self, **options: Any) -> None:
        try:
            with transaction.atomic():
                made = _make()
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        if options["json"]:
            self.stdout.write(json.dumps(made, indent=2))
            return
        for name, value in made.items():
            self.stdout.write(f"{name:24} {value}")


def _make() -> dict[str, str]:
    now = timezone.now()
    password = secrets.token_urlsafe(12)
    parties = make_parties(tenants={"sample-tenant": "Sample Tenant"}, now=now)
    tenant = parties.tenants["sample-tenant"]
    for email, organization in (("tenant@sample.example", tenant), ("provider@sample.example", parties.provider)):
        make_person(email=email, name="Sample Person", password=password, organizations=[organization], now=now)
    cluster = make_cluster(provider=parties.provider, slug="sample-cluster", name="Sample cluster", now=now)
    keys = {
        "tenant_api_key": issue_key(
            organization=tenant,
            name="sample",
            scopes=["usage:read", "events:write", "invoices:read"],
            actor="seed",
            now=now,
        ),
        "provider_api_key": issue_key(
            organization=parties.provider,
            name="sample",
            scopes=["usage:read", "events:write", "invoices:read", "fleet:read", "fleet:write"],
            actor="seed",
            now=now,
        ),
    }
    token = issue_token(cluster=cluster, now=now, valid_for=TOKEN_VALID_FOR, actor="seed")
    return {
        "operator": parties.operator.slug,
        "provider": parties.provider.slug,
        "tenant": tenant.slug,
        "cluster": cluster.slug,
        "model": MODEL,
        **_contract(parties, now),
        "enrolment_token": token.secret,
        **{name: key.secret for name, key in keys.items()},
        "tenant_person": "tenant@sample.example",
        "provider_person": "provider@sample.example",
        "password": password,
    }


def _contract(parties: Parties, now: Any) -> dict[str, str]:
    tenant = parties.tenants["sample-tenant"]
    book = PriceBook.objects.create(provider=parties.provider, name="Sample prices", currency="USD", created_at=now)
    publish_price_version(
        book=book,
        effective_at=now.replace(minute=0, second=0, microsecond=0),
        token_prices={(MODEL, "input"): Decimal("0.60"), (MODEL, "output"): Decimal("0.80")},
        gpu_prices={},
        now=now,
    )
    deployment = Deployment.objects.create(
        provider=parties.provider,
        tenant=tenant,
        slug="sample-deployment",
        name="Sample deployment",
        from_at=now.replace(minute=0, second=0, microsecond=0),
        created_at=now,
    )
    contract = open_contract(
        provider=parties.provider,
        tenant=tenant,
        currency="USD",
        time_zone="UTC",
        from_at=deployment.from_at,
        price_book=book,
        now=now,
    )
    add_token_share(
        contract=contract,
        deployments=[deployment],
        share_percent=Decimal(30),
        witness=Witness.GATEWAY,
        from_at=contract.from_at,
        to_at=None,
        now=now,
    )
    return {"contract": contract.number, "deployment": deployment.slug}
