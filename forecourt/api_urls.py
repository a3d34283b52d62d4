"""The REST API's addresses, its OpenAPI document and its readable docs.

With the addresses comes what the document says of our keys, which its generator finds once the module is loaded:
processes that make no document load none of it.
"""

from importlib import import_module

from django.urls import include, path

from forecourt import api_docs
from forecourt.api_document import DocumentView

import_module("forecourt.api_schema")

urlpatterns = [
    path("v1/schema", DocumentView.as_view(), name="api-schema"),
    path("docs", api_docs.docs, name="api-docs"),
    path("docs/<slug:section>", api_docs.section_docs, name="api-section"),
    path("v1/", include("tenants.hooks.api_urls")),
    path("v1/", include("tenants.accounts.api_urls")),
    path("v1/", include("tenants.members.api_urls")),
    path("v1/", include("tenants.keys.api_urls")),
    path("v1/", include("tenants.organizations.api_urls")),
    path("v1/", include("tenants.audit.api_urls")),
    path("v1/", include("clusters.api_urls")),
    path("v1/", include("metering.api_urls")),
    path("v1/", include("billing.api_urls")),
]
