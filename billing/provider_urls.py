"""The provider's pages of what its fleet is let for."""

from django.urls import path

from billing.pages import lease, occupancy, price_draft, prices

urlpatterns = [
    path("occupancy/", occupancy.provider_occupancy, name="provider-occupancy"),
    path("leases/<str:ref>/", lease.provider_lease, name="provider-lease"),
    path("prices/", prices.provider_prices, name="provider-prices"),
    path("prices.csv", prices.provider_prices_csv, name="provider-prices-csv"),
    path("prices/books/new/", prices.provider_price_book_new, name="provider-price-book-new"),
    path("prices/v/<uuid:version_id>/", prices.provider_price_version, name="provider-price-version"),
    path("prices/draft/", price_draft.provider_price_draft_new, name="provider-price-draft-new"),
    path("prices/draft/<uuid:draft_id>/", price_draft.provider_price_draft, name="provider-price-draft"),
    path("prices/draft/<uuid:draft_id>/announce/", price_draft.provider_price_announce, name="provider-price-announce"),
]
