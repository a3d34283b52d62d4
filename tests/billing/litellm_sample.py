"""A small price file in LiteLLM's shape; all models and prices in it are made up."""

import json
from typing import Any

SPEC = {
    "input_cost_per_token": 0.0,
    "litellm_provider": "one of https://docs.litellm.ai/docs/providers",
    "max_tokens": "LEGACY parameter.",
    "mode": "one of: chat, embedding, completion, image_generation",
    "output_cost_per_token": 0.0,
    "supports_vision": True,
}
ENTRIES: dict[str, dict[str, Any]] = {
    "sample-large": {
        "cache_creation_input_token_cost": 3.5e-07,
        "cache_read_input_token_cost": 2.8e-08,
        "input_cost_per_token": 2.8e-07,
        "input_cost_per_token_above_200k_tokens": 5.6e-07,
        "input_cost_per_token_batches": 1.4e-07,
        "cache_read_input_token_cost_above_200k_tokens_priority": 1.1e-07,
        "litellm_provider": "sample-lab",
        "max_input_tokens": 1000000,
        "mode": "chat",
        "output_cost_per_token": 1.1e-06,
        "search_context_cost_per_query": {"search_context_size_high": 0.01},
        "supports_prompt_caching": True,
    },
    "cheap-cloud/sample/Sample-Large": {
        "input_cost_per_token": 2e-07,
        "litellm_provider": "cheap-cloud",
        "mode": "chat",
        "output_cost_per_token": 9e-07,
    },
    "sample-image": {
        "litellm_provider": "sample-lab",
        "mode": "image_generation",
        "output_cost_per_image": 0.04,
    },
}


def price_file(entries: dict[str, Any] | None = None) -> bytes:
    """The file's bytes, with other entries if any are given."""
    return json.dumps({"sample_spec": SPEC, **(ENTRIES if entries is None else entries)}, indent=4).encode()
