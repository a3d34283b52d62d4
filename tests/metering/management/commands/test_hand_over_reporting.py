"""The operator's word for both parties: whose reports bill a deployment from an hour on."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from clusters.models import Deployment
from metering.control_models import BillingReporter
from tests.factories import make_deployment
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

FROM = "2999-01-01T00:00Z"


def run(deployment: str, **options: str) -> str:
    said = StringIO()
    call_command("hand_over_reporting", deployment, stdout=said, **options)
    return said.getvalue()


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_it_names_who_bills(cast: Cast, deployment: Deployment) -> None:
    said = run(deployment.slug, tenant=cast.tenant.slug, to=cast.provider.slug, from_at=FROM)
    assert said == f"The reports of {cast.provider.slug} bill {deployment.slug} from 2999-01-01T00:00:00+00:00 on.\n"
    named = BillingReporter.objects.get()
    assert (named.reporter, named.named_by) == (cast.provider, "hand_over_reporting")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tenant": "nobody"}, "no deployment"),
        ({"to": "nobody"}, "no organization nobody"),
        ({"from_at": "soon"}, "expected an instant"),
        ({"from_at": "2999-01-01T00:00"}, "no time zone"),
        ({"from_at": "2999-01-01T00:30Z"}, "expected a full UTC hour"),
    ],
)
def test_what_cannot_be_is_said(cast: Cast, options: dict[str, str], message: str, deployment: Deployment) -> None:
    whole = {"tenant": cast.tenant.slug, "to": cast.provider.slug, "from_at": FROM, **options}
    with pytest.raises(CommandError, match=message):
        run(deployment.slug, **whole)
    assert not BillingReporter.objects.exists()
