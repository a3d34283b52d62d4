"""What callers of the economics API may ask for, and how it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from billing.agreements.wording_shapes import WordingField
from billing.economics.cost import CardCost, CostRates
from billing.queries.comparison import GPUS_MAX
from billing.queries.margin import Grouping
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

PERCENT_MIN, PERCENT_MAX = Decimal(-100), Decimal(1000)
MODELS_MAX: Final = 100
DAYS_MAX: Final = 1830


class MarginQuerySerializer(serializers.Serializer[Any]):
    """The query of margins."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    group_by = serializers.ChoiceField(choices=[one.value for one in Grouping], default=Grouping.MODEL.value)
    currency = serializers.CharField(min_length=3, max_length=3, default="")
    cluster = serializers.SlugField(max_length=63, default="")
    model = serializers.CharField(max_length=200, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse days the wrong way round."""
        if not 0 <= (attrs["last_day"] - attrs["first_day"]).days <= DAYS_MAX:
            raise serializers.ValidationError(
                {"last_day": f"must not be before first_day, and at most {DAYS_MAX} days after it."}
            )
        return attrs


MARGIN_PARAMETERS: Final = [
    OpenApiParameter("first_day", date, required=True, description="UTC"),
    OpenApiParameter("last_day", date, required=True, description="UTC, included"),
    OpenApiParameter("group_by", str, enum=[one.value for one in Grouping]),
    OpenApiParameter("currency", str, description="ISO 4217; if not given, the one that earned most"),
    OpenApiParameter("cluster", str, description="the cluster's slug"),
    OpenApiParameter("model", str, description="one model, or card model"),
]


class WindowSerializer(serializers.Serializer[Any]):
    """A window of billing periods, and a percentage on prices."""

    def get_fields(self) -> dict[str, Any]:
        """Name the fields, one of which is a word of the language."""
        return {
            "from": serializers.DateTimeField(source="from_at"),
            "to": serializers.DateTimeField(source="to_at"),
            "percent": serializers.DecimalField(
                max_digits=12, decimal_places=6, min_value=PERCENT_MIN, max_value=PERCENT_MAX, default=Decimal(0)
            ),
            "model": serializers.ListField(
                child=serializers.CharField(max_length=200), max_length=MODELS_MAX, default=list
            ),
            "currency": serializers.CharField(min_length=3, max_length=3, default=""),
        }


class SimulatedTermsSerializer(ClosedSerializer, WindowSerializer):
    """A window of billing periods, and what terms are to say in it, by their references."""

    def get_fields(self) -> dict[str, Any]:
        """Name the fields."""
        terms = serializers.DictField(child=WordingField(), help_text="what each term says instead, by its `ref`")
        kept = {name: field for name, field in super().get_fields().items() if name in ("from", "to", "currency")}
        return {**kept, "terms": terms}


WINDOW_PARAMETERS: Final = [
    OpenApiParameter("from", datetime, required=True, description="billing periods that begin at or after this"),
    OpenApiParameter("to", datetime, required=True, description="and before this"),
    OpenApiParameter("currency", str, description="ISO 4217; if not given, the one of most periods"),
]
PERCENT_PARAMETERS: Final = [
    *WINDOW_PARAMETERS,
    OpenApiParameter("percent", Decimal, description="raise prices of the book by this, -100 to 1000; 0: as billed"),
    OpenApiParameter("model", str, many=True, description="only the prices of these models; if not given, all"),
]


@dataclass(frozen=True, slots=True)
class WindowQuery:
    """A window that was understood."""

    from_at: datetime
    to_at: datetime
    percent: Decimal
    models: tuple[str, ...]
    currency: str


def read_window(request: Request) -> WindowQuery:
    """Read a window from an address. Raises ValidationError with the fields that are wrong."""
    given = {name: request.query_params[name] for name in request.query_params if name != "model"}
    serializer = WindowSerializer(data={**given, "model": request.query_params.getlist("model")})
    serializer.is_valid(raise_exception=True)
    found = serializer.validated_data
    return _window(found, found["percent"], found["model"])


def read_terms(request: Request) -> tuple[WindowQuery, dict[str, Any]]:
    """Read a window and the documents of wordings from a body. Raises ValidationError with the wrong fields."""
    serializer = SimulatedTermsSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    found = serializer.validated_data
    return _window(found, Decimal(0), ()), found["terms"]


def _window(found: dict[str, Any], percent: Decimal, models: Sequence[str]) -> WindowQuery:
    if found["to_at"] <= found["from_at"]:
        raise serializers.ValidationError({"to": ["must be after from."]})
    return WindowQuery(found["from_at"], found["to_at"], percent, tuple(models), found["currency"])


def _amount() -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=24, decimal_places=12, min_value=Decimal(0), required=False)


class CompareQuerySerializer(WindowSerializer):
    """A window, and the terms that are compared."""

    def get_fields(self) -> dict[str, Any]:
        """Name the fields."""
        window = {name: field for name, field in super().get_fields().items() if name in ("from", "to")}
        return {
            **window,
            "gpus": serializers.IntegerField(min_value=0, max_value=GPUS_MAX, required=False),
            "card": serializers.CharField(max_length=100, default=""),
            "price_per_gpu_hour": serializers.DecimalField(
                max_digits=24, decimal_places=12, min_value=Decimal(0), required=False
            ),
            "share_percent": serializers.DecimalField(
                max_digits=7, decimal_places=4, min_value=Decimal("0.0001"), max_value=Decimal(100), required=False
            ),
            "rent_per_month": serializers.DecimalField(
                max_digits=24, decimal_places=12, min_value=Decimal(0), required=False
            ),
        }


COMPARE_PARAMETERS: Final = [
    OpenApiParameter("from", datetime, required=True, description="usage at or after this instant"),
    OpenApiParameter("to", datetime, required=True, description="and before this"),
    OpenApiParameter("gpus", int, description="cards of a lease; if not given, those really held or filled"),
    OpenApiParameter("card", str, description="their model"),
    OpenApiParameter("price_per_gpu_hour", Decimal, description="if not given, the price book's"),
    OpenApiParameter("share_percent", Decimal, description="if not given, the contract's, else 30"),
    OpenApiParameter("rent_per_month", Decimal, description="base rent of the hybrid; if not given, half of the lease"),
]


class CardCostSerializer(ClosedSerializer):
    """What a card of a model cost."""

    model = serializers.CharField(max_length=100, help_text="accelerator model, as the fleet shows it")
    capex_per_gpu = serializers.DecimalField(max_digits=24, decimal_places=6)
    life_days = serializers.IntegerField(min_value=1, max_value=36_500)


class ClusterCostSerializer(ClosedSerializer):
    """What a cluster costs from an instant on."""

    cluster = serializers.SlugField(max_length=63)
    effective_at = serializers.DateTimeField(help_text="a full UTC hour")
    currency = serializers.CharField(min_length=3, max_length=3, help_text="ISO 4217")
    power_price_per_kwh = serializers.DecimalField(max_digits=24, decimal_places=12)
    pue = serializers.DecimalField(max_digits=8, decimal_places=4)
    rent_per_month = serializers.DecimalField(max_digits=24, decimal_places=6)
    overhead_per_month = serializers.DecimalField(max_digits=24, decimal_places=6)
    grid_g_per_kwh = serializers.DecimalField(max_digits=10, decimal_places=3, allow_null=True, default=None)
    grid_source = serializers.CharField(max_length=200, allow_blank=True, default="")
    cards = CardCostSerializer(many=True)


class EnteredClusterCostSerializer(ClusterCostSerializer):
    """The same as stored."""

    number = serializers.IntegerField(help_text="1, 2, 3 … of the cluster")
    counts = serializers.BooleanField(help_text="false where a later version took its instant's place")
    entered_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class ClusterCostsSerializer(PagedSerializer):
    """Every version of a provider's clusters."""

    costs = EnteredClusterCostSerializer(many=True)


def rates_from(given: dict[str, Any]) -> CostRates:
    """Return the rates that a body says."""
    return CostRates(
        effective_at=given["effective_at"],
        currency=given["currency"].upper(),
        power_price_per_kwh=given["power_price_per_kwh"],
        pue=given["pue"],
        rent_per_month=given["rent_per_month"],
        overhead_per_month=given["overhead_per_month"],
        grid_g_per_kwh=given["grid_g_per_kwh"],
        cards={card["model"]: CardCost(card["capex_per_gpu"], card["life_days"]) for card in given["cards"]},
    )
