"""Which pages are asked for, and how they are read, by setting and mapping."""

import pytest

from metering.agent.config import EndpointSetting
from metering.agent.endpoints import page_url, source_of, target_of
from metering.agent.engines import load_mappings

MAPPINGS = load_mappings()


@pytest.mark.parametrize(
    ("url", "page", "expected"),
    [
        ("http://h:1", "/metrics", "http://h:1/metrics"),
        ("http://h:1/", "/metrics", "http://h:1/metrics"),
        ("https://h/a/b/", "/v1/metrics", "https://h/a/b/v1/metrics"),
        ("http://h:1?model=m", "/metrics", "http://h:1/metrics?model=m"),
        ("http://h:1?model=a%2Fb&autoload=false", "/metrics?x=1", "http://h:1/metrics?x=1&model=a%2Fb&autoload=false"),
        ("http://h:1", "//metrics", "http://h:1//metrics"),
    ],
)
def test_a_servers_query_goes_along_with_its_page(url: str, page: str, expected: str) -> None:
    assert page_url(url, page) == expected


def test_older_pages_are_tried_unless_the_setting_names_one() -> None:
    nim = MAPPINGS["nim"]
    target = target_of(EndpointSetting("http://h:1", "nim"), nim)
    assert (target.page_url, target.fallback_urls) == ("http://h:1/v1/metrics", ("http://h:1/metrics",))
    named = target_of(EndpointSetting("http://h:1", "nim", page="/m"), nim)
    assert (named.endpoint, named.page_url, named.fallback_urls) == ("http://h:1", "http://h:1/m", ())


def test_a_target_brings_its_engines_header_and_ban() -> None:
    assert target_of(EndpointSetting("http://h", "llamacpp"), MAPPINGS["llamacpp"]).epoch_header
    target = target_of(EndpointSetting("http://h", "tensorrt_llm"), MAPPINGS["tensorrt_llm"])
    assert [target.is_destructive(path) for path in ("/metrics", "/prometheus/metrics")] == [True, False]


def test_the_model_that_a_router_is_asked_for_is_the_model_unless_another_is_named() -> None:
    mapping = MAPPINGS["llamacpp"]
    routed = EndpointSetting("http://h:1?model=org%2Fm&autoload=false", "llamacpp")
    assert source_of(routed, mapping).model == "org/m"
    assert source_of(EndpointSetting(routed.url, "llamacpp", model="mine"), mapping).model == "mine"
    assert source_of(EndpointSetting("http://h:1", "llamacpp"), mapping).model is None


def test_what_the_setting_says_is_known_to_the_reader() -> None:
    setting = EndpointSetting("http://h:1", "sglang", role="decode", version="0.5", keep_labels=["tenant"])
    source = source_of(setting, MAPPINGS["sglang"])
    assert (source.role, source.version, source.keep_labels) == ("decode", "0.5", ("tenant",))
