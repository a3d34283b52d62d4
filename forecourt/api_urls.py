"""The REST API's addresses, its OpenAPI document and its readable docs."""

from django.urls import include, path
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.views import SpectacularAPIView

from forecourt import api_docs

urlpatterns = [
    path(
        "v1/schema",
        SpectacularAPIView.as_view(
            authentication_classes=[],
            permission_classes=[],
            # JSON to who asks for nothing in particular.
            renderer_classes=[OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer, OpenApiYamlRenderer2],
        ),
        name="api-schema",
    ),
    path("docs", api_docs.docs, name="api-docs"),
    path("v1/", include("tenants.hooks.api_urls")),
    path("v1/", include("tenants.members.api_urls")),
    path("v1/", include("tenants.keys.api_urls")),
    path("v1/", include("tenants.organizations.api_urls")),
    path("v1/", include("tenants.audit.api_urls")),
    path("v1/", include("clusters.api_urls")),
    path("v1/", include("metering.api_urls")),
    path("v1/", include("billing.api_urls")),
]
