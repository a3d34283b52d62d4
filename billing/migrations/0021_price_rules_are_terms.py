"""Price rules become terms: what each row said, of the contract's version that it named, so that they are hashed too.

The text of versions that are agreed stays as it was hashed; the next version of a contract names its rule.
"""

from django.db import migrations
from django.db.migrations.operations import RunPython


def move(apps, schema_editor):
    Term, Wording = apps.get_model("billing", "Term"), apps.get_model("billing", "TermWording")
    Version, Rule = apps.get_model("billing", "ContractVersion"), apps.get_model("billing", "ContractPriceRule")
    terms = {}
    for rule in Rule.objects.select_related("contract").order_by("contract", "contract_version", "from_at"):
        contract = rule.contract
        term = terms.get(contract.pk)
        if term is None:
            term = terms[contract.pk] = Term.objects.create(
                contract=contract,
                kind="price_rule",
                ref=f"R-{contract.number.removeprefix('C-')[-20:]}-1",
                title="Price rule",
                from_at=rule.from_at,
                created_at=rule.created_at,
            )
        elif rule.from_at < term.from_at:
            term.from_at = rule.from_at
            term.save(update_fields=["from_at"])
        versions = Version.objects.filter(contract=contract, number__lte=rule.contract_version).order_by("-number")
        Wording.objects.create(
            term=term,
            version=versions.first(),
            contract_version=rule.contract_version,
            from_at=rule.from_at,
            document=rule.document,
        )


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_granted_credit")]
    operations = [RunPython(move, RunPython.noop)]
