"""What a configured endpoint and its engine's mapping make together: the pages to ask, and how to read them. Pure."""

from urllib.parse import parse_qs, urlsplit, urlunsplit

from metering.agent.config import EndpointSetting
from metering.agent.engines import EngineMapping
from metering.agent.observe import Source
from metering.agent.scrape import Target


def target_of(setting: EndpointSetting, mapping: EngineMapping) -> Target:
    """The pages to ask for, in the order to try them; a page that the setting names is the only one."""
    pages = [setting.page] if setting.page else [mapping.page, *mapping.old_pages]
    return Target(
        endpoint=setting.url,
        page_url=page_url(setting.url, pages[0]),
        epoch_header=mapping.epoch_header,
        fallback_urls=tuple(page_url(setting.url, page) for page in pages[1:]),
        is_destructive=mapping.is_destructive,
    )


def page_url(url: str, page: str) -> str:
    """A page of a server; a query of the server's URL (a router's `?model=…`) goes along with every page."""
    server = urlsplit(url)
    path, _, page_query = page.partition("?")
    query = "&".join(filter(None, [page_query, server.query]))
    return urlunsplit((server.scheme, server.netloc, server.path.rstrip("/") + path, query, ""))


def source_of(setting: EndpointSetting, mapping: EngineMapping) -> Source:
    """How the endpoint's page is to be read; a model in the URL is what the router is asked for."""
    routed = parse_qs(urlsplit(setting.url).query).get("model", [None])[0]
    return Source(
        url=setting.url,
        mapping=mapping,
        model=setting.model or routed,
        role=setting.role,
        version=setting.version,
        keep_labels=tuple(setting.keep_labels),
    )
