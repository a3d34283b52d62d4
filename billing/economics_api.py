"""The API of economics: what a provider's clusters cost, its margin, and its usage at other prices."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.cluster_costs import enter_cluster_cost
from billing.economics.cost import MILLIJOULES_PER_KWH, MS_PER_HOUR
from billing.economics.repricing import Reprice, at_percent, at_wordings
from billing.economics_parameters import (
    MARGIN_PARAMETERS,
    PERCENT_PARAMETERS,
    WINDOW_PARAMETERS,
    ClusterCostSerializer,
    ClusterCostsSerializer,
    EnteredClusterCostSerializer,
    MarginQuerySerializer,
    SimulatedTermsSerializer,
    WindowQuery,
    rates_from,
    read_terms,
    read_window,
)
from billing.economics_shapes import MarginLineSerializer, MarginsSerializer, SimulationSerializer
from billing.models import Contract, PriceVersion
from billing.money import to_decimals
from billing.queries.cluster_costs import CostVersion, cluster_costs
from billing.queries.inversions import Inverted, inversions_of
from billing.queries.margin import Figures, Grouping, MarginLine, margin
from billing.queries.simulation import SimulatedLine, Simulation, simulate, version_changes
from billing.rating.kinds import read_any_wording
from billing.rating.wording import Wording, WrongWording
from billing.terms import terms_of
from tenants.authentication import Program, organization_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_of_few

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

PERIODS_MAX: Final = 2_000
RATIO_DIGITS: Final = 12


class MarginsView(ListView):
    """What a provider earned and spent."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="margins_list",
        tags=["economics"],
        summary="Read margins",
        parameters=[*MARGIN_PARAMETERS, *PAGE_PARAMETERS],
        responses=list_responses(MarginsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Sum what was earned and what it cost over UTC days, by model, tenant, cluster or day."""
        serializer = MarginQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        provider, now = organization_of(request), timezone.now()  # noqa: TID251  an entry point
        found = margin(
            provider,
            asked["first_day"],
            asked["last_day"],
            by=Grouping(asked["group_by"]),
            currency=asked["currency"],
            cluster_slug=asked["cluster"],
            model=asked.get("model"),
        )
        paged = page_of_few(request, found.lines, lambda line: (line.kind, line.key, line.name))
        return list_answer(
            request,
            "lines",
            paged,
            MarginLineSerializer,
            _margin_line,
            first_day=found.first.isoformat(),
            last_day=found.last.isoformat(),
            currency=found.currency,
            total=_margin_line(MarginLine("", "", "", found.total)),
            workload_cost=_known(found.workload_cost),
            idle_cost=_known(found.idle_cost),
            overhead_cost=_known(found.overhead_cost),
            cost=_known(found.cost),
            below_cost=[_inverted(one) for one in inversions_of(provider, now)],
        )


class ClusterCostsView(ListView):
    """What clusters cost by their owner's figures."""

    required_scopes = {"GET": "invoices:read", "POST": "costs:write"}

    @extend_schema(
        operation_id="cluster_costs_list",
        tags=["economics"],
        summary="Read what clusters cost",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ClusterCostsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List every version that was entered, cluster by cluster, the one entered last first."""
        rows = [(one.slug, version) for one in cluster_costs(organization_of(request)) for version in one.versions]
        paged = page_of_few(request, rows, lambda row: (row[0], row[1].number), falling=True)
        return list_answer(request, "costs", paged, EnteredClusterCostSerializer, lambda row: _cost(*row))

    @extend_schema(
        operation_id="cluster_costs_create",
        tags=["economics"],
        summary="Enter what a cluster costs",
        request=ClusterCostSerializer,
        responses={201: EnteredClusterCostSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Enter costs from an instant on; the same instant again is a correction. No bill depends on them."""
        serializer = ClusterCostSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        provider = organization_of(request)
        program: object = request.user
        assert isinstance(program, Program)
        stored = enter_cluster_cost(
            provider=provider,
            cluster_slug=given["cluster"],
            rates=rates_from(given),
            grid_source=given["grid_source"],
            by=program.key.prefix,
            now=timezone.now(),  # noqa: TID251  an entry point
        )
        [cluster] = cluster_costs(provider, given["cluster"])
        version = next(one for one in cluster.versions if one.number == stored.number)
        return Response(_cost(cluster.slug, version), status=201)


class PriceVersionSimulateView(APIView):
    """A price version over real past usage."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="price_versions_simulate",
        tags=["economics"],
        summary="Simulate a price version",
        parameters=WINDOW_PARAMETERS,
        responses={200: SimulationSerializer},
    )
    def get(self, request: Request, version_id: UUID) -> Response:
        """Rate the billing periods of a window as if the version had been in force throughout; nothing is stored."""
        provider, asked = organization_of(request), read_window(request)
        version = PriceVersion.objects.filter(pk=version_id, book__provider=provider).first()
        if version is None:
            raise Http404
        found = simulate(
            provider,
            from_at=asked.from_at,
            to_at=asked.to_at,
            change_of=version_changes(version),
            currency=asked.currency,
            book_id=version.book_id,
            periods_max=PERIODS_MAX,
        )
        return Response(_simulation(found))


class ContractSimulateView(APIView):
    """One contract's past usage at other prices, or under other terms."""

    required_scopes = {"GET": "invoices:read", "POST": "invoices:read"}

    @extend_schema(
        operation_id="contracts_simulate",
        tags=["economics"],
        summary="Simulate other prices for a contract",
        parameters=PERCENT_PARAMETERS,
        responses={200: SimulationSerializer},
    )
    def get(self, request: Request, contract_id: UUID) -> Response:
        """Rate a contract's billing periods of a window at the book's prices raised by a percentage."""
        contract, asked = _contract(request, contract_id), read_window(request)
        return Response(_simulation(_of_contract(contract, asked, at_percent(asked.percent, asked.models or None))))

    @extend_schema(
        operation_id="contracts_simulate_terms",
        tags=["economics"],
        summary="Simulate other terms for a contract",
        request=SimulatedTermsSerializer,
        responses={200: SimulationSerializer},
    )
    def post(self, request: Request, contract_id: UUID) -> Response:
        """Rate a contract's billing periods of a window as if terms had said something else; nothing is stored."""
        contract = _contract(request, contract_id)
        asked, terms = read_terms(request)
        wordings = _wordings(contract, terms)
        return Response(_simulation(_of_contract(contract, asked, at_wordings(wordings))))


def _contract(request: Request, contract_id: UUID) -> Contract:
    """Return a contract of which the caller is the provider. Raises Http404 for any other."""
    contract = Contract.objects.filter(pk=contract_id, provider=organization_of(request)).first()
    if contract is None:
        raise Http404
    return contract


def _of_contract(contract: Contract, asked: WindowQuery, change: Reprice) -> Simulation:
    return simulate(
        contract.provider,
        from_at=asked.from_at,
        to_at=asked.to_at,
        change_of=lambda _contract: change,
        contract_id=contract.id,
        periods_max=PERIODS_MAX,
    )


def _wordings(contract: Contract, terms: dict[str, Any]) -> dict[str, Wording]:
    """Return what terms of a contract are to say. Raises ValidationError with the field of a wording that is wrong."""
    known = {term.ref for term in terms_of([contract.id])}
    found: dict[str, Wording] = {}
    for ref, document in terms.items():
        if ref not in known:
            raise ValidationError({f"terms.{ref}": [f"The contract has no such term; it has {', '.join(known)}."]})
        try:
            found[ref] = read_any_wording(document)
        except WrongWording as wrong:
            raise ValidationError({f"terms.{ref}.{wrong.field}": [str(wrong)]}) from wrong
    return found


def _margin_line(line: MarginLine) -> dict[str, Any]:
    figures = line.figures
    return {
        "key": line.key,
        "name": line.name,
        "kind": line.kind,
        "revenue": _plain(figures.revenue),
        "gpu_cost": _known(figures.known_gpu_cost),
        "energy_cost": _known(figures.energy_cost),
        "overhead_cost": _known(figures.known_overhead_cost),
        "profit": _known(figures.profit),
        "margin": _ratio(figures.margin),
        **_quantities(figures),
        "cost_per_mtok": _ratio(figures.per_mtok(figures.cost) if figures.cost_known else None),
        "price_per_mtok": _ratio(figures.per_mtok(figures.revenue)),
        "tokens_per_currency_unit": _ratio(figures.tokens_per_unit),
        "tokens_per_gpu_hour": _ratio(figures.tokens_per_gpu_hour),
        "tokens_per_kwh": _ratio(figures.tokens_per_kwh),
    }


def _quantities(figures: Figures) -> dict[str, Any]:
    return {
        "gpu_hours": _ratio(Fraction(figures.gpu_ms, MS_PER_HOUR)),
        "gpu_hours_costed": _ratio(Fraction(figures.costed_ms, MS_PER_HOUR)),
        "gpu_hours_metered": _ratio(Fraction(figures.metered_ms, MS_PER_HOUR)),
        "energy_kwh": _ratio(Fraction(figures.energy_mj, MILLIJOULES_PER_KWH) if figures.metered_ms else None),
        "carbon_g": _known(figures.carbon_g),
        "input_tokens": str(figures.input_tokens),
        "cached_input_tokens": str(figures.cached_input_tokens),
        "cache_write_tokens": str(figures.cache_write_tokens),
        "output_tokens": str(figures.output_tokens),
    }


def _inverted(one: Inverted) -> dict[str, Any]:
    return {
        "model": one.model,
        "cluster": one.cluster_slug,
        "since": one.run.since.isoformat(),
        "last_day": one.run.last.isoformat(),
        "days": one.run.days,
        "loss": _plain(one.run.loss),
    }


def _cost(slug: str, one: CostVersion) -> dict[str, Any]:
    return {
        "cluster": slug,
        "number": one.number,
        "counts": one.counts,
        "effective_at": one.effective_at.isoformat().replace("+00:00", "Z"),
        "currency": one.currency,
        "power_price_per_kwh": _plain(one.power_price_per_kwh),
        "pue": _plain(one.pue),
        "rent_per_month": _plain(one.rent_per_month),
        "overhead_per_month": _plain(one.overhead_per_month),
        "grid_g_per_kwh": _known(one.grid_g_per_kwh),
        "grid_source": one.grid_source,
        "cards": [
            {"model": card.model, "capex_per_gpu": _plain(card.capex_per_gpu), "life_days": card.life_days}
            for card in one.cards
        ],
        "entered_by": one.entered_by,
        "created_at": one.created_at.isoformat().replace("+00:00", "Z"),
    }


def _simulation(found: Simulation) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "currencies": list(found.currencies),
        "periods": found.periods,
        "contracts": found.contracts,
        "lines": [_simulated(line, found) for line in found.lines],
        "total": _simulated(found.total, found),
    }


def _simulated(line: SimulatedLine, found: Simulation) -> dict[str, Any]:
    return {
        "tenant": line.tenant_slug,
        "model": line.model,
        "old": _plain(line.old),
        "new": _plain(line.new),
        "stress": {
            str(percent): _plain(amount) for percent, amount in zip(found.stress_percents, line.stress, strict=True)
        },
        "cost": _known(line.cost),
        "margin": _ratio(line.margin),
    }


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _known(amount: Decimal | None) -> str | None:
    return None if amount is None else _plain(amount)


def _ratio(value: Fraction | None) -> str | None:
    return None if value is None else _plain(to_decimals(value, RATIO_DIGITS))
