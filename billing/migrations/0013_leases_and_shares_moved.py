"""Leases and token shares become terms with one wording each, said by the version their contract has.

Ids, references, times, slices and deployments stay, and so do the line keys of what is charged: a key names the term's
kind, reference and version. Every contract gets that version as the first link of its chain.
"""

import hashlib
import json
from datetime import UTC

from django.db import migrations


def move(apps, schema_editor):
    """Copy what is agreed into the new tables."""
    models = {
        name: apps.get_model("billing", name)
        for name in ("Contract", "ContractVersion", "Lease", "LeaseAllocation", "Term", "TermAllocation",
                     "TermDeployment", "TermWording", "TokenShare", "TokenShareDeployment")
    }
    for contract in models["Contract"].objects.select_related("provider", "tenant", "price_book").order_by("pk"):
        terms = [
            *((lease, "lease", _lease(lease)) for lease in models["Lease"].objects.filter(contract=contract)),
            *((share, "token_share", _share(share)) for share in models["TokenShare"].objects.filter(contract=contract)),
        ]
        version = _version(models["ContractVersion"], contract, terms)
        for old, kind, document in terms:
            term = models["Term"].objects.create(
                id=old.id, contract=contract, kind=kind, ref=old.ref, title=old.title,
                from_at=old.from_at, to_at=old.to_at, created_at=old.created_at,
            )
            said = [(old.from_at, {"kind": kind, **document})]
            if old.to_at is not None:
                said.append((old.to_at, None))
            for at, wording in said:
                models["TermWording"].objects.create(
                    term=term, version=version, contract_version=version.number, from_at=at, document=wording
                )
    held = models["LeaseAllocation"].objects.order_by("pk").values_list("lease_id", "allocation_id")
    models["TermAllocation"].objects.bulk_create(
        [models["TermAllocation"](term_id=lease, allocation_id=allocation) for lease, allocation in held.iterator()],
        batch_size=2_000,
    )
    bound = models["TokenShareDeployment"].objects.order_by("pk")
    models["TermDeployment"].objects.bulk_create(
        models["TermDeployment"](term_id=term, deployment_id=deployment, from_at=from_at, to_at=to_at)
        for term, deployment, from_at, to_at in bound.values_list(
            "term_id", "deployment_id", "term__from_at", "term__to_at"
        )
    )


def _version(model, contract, terms):
    document = {
        "format": "forecourt-contract-1",
        "contract": contract.number,
        "version": contract.version,
        "effective_at": _instant(contract.from_at),
        "previous_sha256": "",
        "header": {
            "provider": contract.provider.slug,
            "tenant": contract.tenant.slug,
            "currency": contract.currency,
            "time_zone": contract.time_zone,
            "from_at": _instant(contract.from_at),
            "to_at": contract.to_at and _instant(contract.to_at),
            "period_kind": contract.period_kind,
            "period_length_s": contract.period_length_s,
            "price_book": contract.price_book and contract.price_book.name,
            "collection": contract.collection,
            "due_days": contract.due_days,
            "grace_hours": contract.grace_hours,
            "event_grace_minutes": contract.event_grace_minutes,
            "operator_fee_percent": _plain(contract.operator_fee_percent),
        },
        "terms": [
            {
                "ref": old.ref,
                "kind": kind,
                "title": old.title,
                "wordings": [
                    {
                        "version": contract.version,
                        "from_at": _instant(old.from_at),
                        "to_at": old.to_at and _instant(old.to_at),
                        "wording": {"kind": kind, **wording},
                    }
                ],
            }
            for old, kind, wording in sorted(terms, key=lambda each: each[0].ref)
        ],
        "changes": [],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return model.objects.create(
        contract=contract,
        number=contract.version,
        effective_at=contract.from_at,
        document=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        created_at=contract.created_at,
    )


def _lease(lease):
    price = lease.price_per_gpu_hour
    return {
        "accelerator_model": lease.accelerator_model,
        "price_per_gpu_hour": None if price is None else _plain(price),
    }


def _share(share):
    return {
        "share_percent": _plain(share.share_percent),
        "collected_by": share.collected_by,
        "witness": share.witness,
        "tolerance_percent": _plain(share.tolerance_percent),
    }


def _plain(number):
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(at):
    return at.astimezone(UTC).isoformat()


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_terms'),
    ]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
