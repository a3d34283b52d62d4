"""Without any filter of the application: an organization's rows are all that it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from billing.models import Contract, Invoice, InvoiceLine, LedgerEntry, PriceBook
from clusters.models import Allocation, Cluster, Node
from forecourt.rows.declared import DECLARED
from forecourt.rows.rules import Open, Rule, Work
from metering.models import Batch, UsageHour
from tenants.limits.reader import limited, read_for
from tenants.models import ApiKey, AuditEntry, Membership, Organization, User
from tests.factories import EPOCH, make_allocation, make_contract
from tests.filled import Filled, api_key, fill
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MODELS = {
    model._meta.label_lower: model
    for model in apps.get_models(include_auto_created=True)
    if model._meta.label_lower in DECLARED
}
# What stands for the installation itself, and dates at which its books were summed.
EVERYBODYS = {"billing.ledgercheckpoint"}


@kept
def filled(cast: Cast) -> Filled:
    for organization in (cast.provider, cast.tenant, cast.outsider):
        api_key(organization)
    return fill(cast)


def read_as(organization: Organization, person: User | None = None) -> Any:
    request = limited(changes=False)
    request.__enter__()
    read_for(organization_id=organization.id, person_id=person.id if person else None)
    return request


@pytest.fixture
def reading() -> Iterator[Any]:
    """Read as an organization until the test ends."""
    opened: list[Any] = []

    def begin(organization: Organization, person: User | None = None) -> None:
        while opened:
            opened.pop().__exit__(None, None, None)
        opened.append(read_as(organization, person))

    yield begin
    while opened:
        opened.pop().__exit__(None, None, None)


def counts(kind: type) -> dict[str, int]:
    """How many rows of each table so declared are seen now, asked without any filter."""
    return {label: model._base_manager.count() for label, model in MODELS.items() if isinstance(DECLARED[label], kind)}


@kept
def there() -> dict[str, int]:
    return counts(Rule)


def test_an_outsider_gets_nothing_of_others(cast: Cast, filled: Filled, reading: Any, there: dict[str, int]) -> None:
    assert sum(1 for count in there.values() if count) >= 60, "the filled world fills too few tables to prove much"
    reading(cast.outsider, cast.charlie)
    seen = {label for label, count in counts(Rule).items() if count} - EVERYBODYS
    assert seen == {
        "tenants.organization",
        "tenants.user",
        "tenants.membership",
        "tenants.apikey",
        "tenants.auditentry",
    }
    assert {one.slug for one in Organization.objects.all()} == {"outsider", "operator"}
    assert [one.email for one in User.objects.all()] == [cast.charlie.email]
    assert [one.user_id for one in Membership.objects.all()] == [cast.charlie.id]
    assert {one.organization_id for one in ApiKey.objects.all()} == {cast.outsider.id}
    assert {one.organization_id for one in AuditEntry.objects.all()} == {cast.outsider.id}


def test_another_tenant_of_the_same_provider_gets_nothing_of_this_one(cast: Cast, filled: Filled, reading: Any) -> None:
    make_contract(cast.provider, cast.outsider, PriceBook.objects.first())
    theirs = set(Organization.objects.values_list("slug", flat=True))
    reading(cast.outsider, cast.charlie)
    assert Organization.objects.get(slug="provider") == cast.provider
    assert Organization.objects.filter(slug="tenant").first() is None
    assert theirs >= {"provider", "tenant", "outsider", "operator"}
    assert [one.tenant_id for one in Contract.objects.all()] == [cast.outsider.id]
    for model in (Invoice, InvoiceLine, UsageHour, LedgerEntry, Node, Cluster, Allocation, Batch):
        assert not model._base_manager.exists(), model


def test_who_holds_one_card_sees_neither_its_other_parts_nor_its_earlier_holders(
    cast: Cast, filled: Filled, reading: Any
) -> None:
    held = Allocation._base_manager.exclude(to_at=None).order_by("-to_at")[0]
    assert held.to_at is not None
    later = make_allocation(held.slice, cast.outsider, held.to_at)
    reading(cast.outsider)
    assert [one.pk for one in Allocation.objects.all()] == [later.id]
    assert Node.objects.get() == later.slice.accelerator.node
    assert Cluster.objects.get() == later.slice.accelerator.node.cluster
    assert not UsageHour.objects.exists()


def test_a_provider_sees_who_holds_its_cards_with_a_contract_and_without(
    cast: Cast, filled: Filled, reading: Any
) -> None:
    held = Allocation._base_manager.exclude(to_at=None).order_by("-to_at")[0]
    assert held.to_at is not None
    make_allocation(held.slice, cast.outsider, held.to_at)
    assert not Contract._base_manager.filter(tenant=cast.outsider).exists()
    reading(cast.provider)
    assert {"tenant", "outsider"} <= set(Organization.objects.values_list("slug", flat=True))


@pytest.mark.parametrize("side", ["tenant", "provider"])
def test_both_parties_get_what_is_between_them_and_no_row_points_at_one_that_they_do_not_see(
    cast: Cast, filled: Filled, reading: Any, side: str, there: dict[str, int]
) -> None:
    everything = there
    reading(getattr(cast, side), cast.alice if side == "tenant" else cast.petra)
    seen = counts(Rule)
    for label in ("billing.contract", "billing.invoice", "billing.invoiceline", "billing.term", "metering.usagehour"):
        assert seen[label] == everything[label] > 0, label
    loose = [
        f"{label}.{field.name}"
        for label, model in MODELS.items()
        if seen.get(label)
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is not None and _is_loose(model, field)
    ]
    assert not loose, "rows vanish where these are joined"


def _is_loose(model: type[Model], field: Any) -> bool:
    """Whether a row is seen that names one that is not."""
    named = model._base_manager.exclude(**{f"{field.name}_id": None}) if field.null else model._base_manager.all()
    seen = field.related_model._base_manager.values(field.target_field.attname)
    return bool(named.exclude(**{f"{field.attname}__in": seen}).exists())


def test_what_is_not_for_requests_is_nobodys(cast: Cast, filled: Filled, reading: Any) -> None:
    ContentType.objects.get_or_create(app_label="sample", model="sample")  # a run empties this table now and then
    everybodys = counts(Open)
    reading(cast.provider, cast.petra)
    assert set(counts(Work).values()) == {0}
    assert counts(Open) == everybodys
    assert sum(everybodys.values()) > 0


def test_nobody_sees_people_alone(cast: Cast, filled: Filled) -> None:
    with limited(changes=False):
        seen = {label for label, count in counts(Rule).items() if count} - EVERYBODYS
    assert seen == {"tenants.user"}, "signing in looks people up"


def test_nothing_is_written_for_others(cast: Cast, filled: Filled, reading: Any) -> None:
    cluster = filled.cluster
    reading(cast.outsider, cast.charlie)
    assert Cluster.objects.filter(pk=cluster.pk).update(name="taken") == 0
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        AuditEntry.objects.create(organization=cast.tenant, actor="charlie", action="x", subject="x", at=EPOCH)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE billing_invoice CASCADE")
    with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_invoice DISABLE TRIGGER ALL")
