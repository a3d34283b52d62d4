"""The provider's pages of what its fleet is let for."""

from django.urls import path

from billing.pages import (
    amendment,
    comparing,
    contracts,
    costs,
    lease,
    leases,
    margin,
    occupancy,
    price_draft,
    price_index,
    prices,
    revenue,
    simulation,
)

urlpatterns = [
    path("occupancy/", occupancy.provider_occupancy, name="provider-occupancy"),
    path("leases/", leases.provider_leases, name="provider-leases"),
    path("leases/<str:ref>/", lease.provider_lease, name="provider-lease"),
    path("revenue/", revenue.provider_revenue, name="provider-revenue"),
    path("revenue/<uuid:statement_id>.csv", revenue.provider_revenue_document, name="provider-revenue-document"),
    path("prices/", prices.provider_prices, name="provider-prices"),
    path("price-index/", price_index.provider_price_index, name="provider-price-index"),
    path("price-index.csv", price_index.provider_price_index_csv, name="provider-price-index-csv"),
    path("prices.csv", prices.provider_prices_csv, name="provider-prices-csv"),
    path("prices/books/new/", prices.provider_price_book_new, name="provider-price-book-new"),
    path("prices/v/<uuid:version_id>/", prices.provider_price_version, name="provider-price-version"),
    path("prices/draft/", price_draft.provider_price_draft_new, name="provider-price-draft-new"),
    path("prices/draft/<uuid:draft_id>/", price_draft.provider_price_draft, name="provider-price-draft"),
    path("prices/draft/<uuid:draft_id>/announce/", price_draft.provider_price_announce, name="provider-price-announce"),
    path("compare/", comparing.provider_compare, name="provider-compare"),
    path("costs/", costs.provider_costs, name="provider-costs"),
    path("costs/<slug:slug>/", costs.provider_cluster_costs, name="provider-cluster-costs"),
    path("margin/", margin.provider_margin, name="provider-margin"),
    path("margin.csv", margin.provider_margin_csv, name="provider-margin-csv"),
    path("margin/simulate/", simulation.provider_simulate, name="provider-simulate"),
    path("margin/<path:model>/", margin.provider_margin_model, name="provider-margin-model"),
    path("contracts/", contracts.provider_contracts, name="provider-contracts"),
    path("contracts/new/", amendment.provider_contract_new, name="provider-contract-new"),
    path("contracts/<uuid:contract_id>/", contracts.provider_contract, name="provider-contract"),
    path("contracts/<uuid:contract_id>/amend/", amendment.provider_amendment_new, name="provider-amendment-new"),
    path("amendments/<uuid:amendment_id>/", amendment.provider_amendment, name="provider-amendment"),
]
