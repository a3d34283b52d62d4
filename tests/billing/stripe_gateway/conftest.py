"""A gateway to the double, and a customer there."""

from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway, StripeSettings
from tests.fakes.stripe_double.fixture import StripeDouble


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
