"""Addresses of the operator's pages of organizations."""

from django.urls import path

from tenants.organizations import fee_pages, files, pages

urlpatterns = [
    path("organization/", pages.about["operator"], name="operator-organization"),
    path("organizations/", pages.operator_organizations, name="operator-organizations"),
    path("organizations.csv", files.operator_organizations_csv, name="operator-organizations-csv"),
    path("organizations/<uuid:organization_id>/", pages.operator_organization, name="operator-organization-of"),
    path("fees/", fee_pages.operator_fees, name="operator-fees"),
    path("fees.csv", fee_pages.operator_fees_csv, name="operator-fees-csv"),
]
