"""The OpenAPI document: it follows from the code alone, so that each process makes it, and each form of it, once."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.views import SpectacularAPIView

FORMS: Final = (OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer, OpenApiYamlRenderer2)
"""The first is for who asks for nothing in particular."""


@cache
def document() -> dict[str, Any]:
    """Return the document; change nothing in it."""
    generator: Any = SchemaGenerator  # it has no types
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


class DocumentGenerator(SchemaGenerator):
    """Gives to every request what was made once."""

    def get_schema(self, request: object = None, public: bool = False) -> dict[str, Any]:  # noqa: ARG002  its signature
        """Return the document, whoever asks."""
        return document()


def once(renderer: type[Any]) -> type[Any]:
    """Return a renderer that writes the document once, and whatever else it is given anew."""

    @cache
    def written() -> bytes:
        return bytes(renderer().render(document()))

    class Once(renderer):  # type: ignore[misc]  # which one is known only here
        def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
            if data is document():
                return written()
            return bytes(super().render(data, accepted_media_type, renderer_context))

    return Once


class DocumentView(SpectacularAPIView):
    """Shows the document to everyone."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = list(map(once, FORMS))
    generator_class = DocumentGenerator
