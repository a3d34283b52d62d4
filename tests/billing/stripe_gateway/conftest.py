"""One running double for the tests of the gateway that look only at what they made themselves."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway, StripeSettings
from tests.fakes.stripe_double.fixture import StripeDouble, stripe_double


@pytest.fixture(scope="package")
def shared_double() -> Iterator[StripeDouble]:
    with stripe_double() as started:
        yield started


@pytest.fixture
def double(shared_double: StripeDouble) -> Iterator[StripeDouble]:
    yield shared_double
    shared_double.clear_faults()
    shared_double.funds(fee_basis_points=0, fee_fixed=0, pending_s=0, dispute_fee=1500)


@pytest.fixture
def gateway(double: StripeDouble) -> StripeGateway:
    return StripeGateway(
        StripeSettings(
            secret_key=StripeDouble.SECRET_KEY, webhook_secret="whsec_x", api_base=double.base_url, network_retries=0
        )
    )


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    return gateway.create_customer(str(uuid4()), "Sample Tenant", "bills@tenant.example", f"cust:{uuid4()}")
