"""What a handler is given, and what a table of handlers looks like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 40
METADATA_VALUE_CHARACTERS_MAX = 500


@dataclass(frozen=True)
class Call:
    """One request that passed the contract: ids from the path, checked parameters, and the work to do it in."""

    work: Work
    ids: tuple[str, ...]
    params: JsonObject
    base_url: str

    @property
    def id(self) -> str:
        """The first id of the path."""
        return self.ids[0]


Handler = Callable[[Call], JsonObject]
# (method, path template) → what answers it.
Handlers = Mapping[tuple[str, str], Handler]


def check_metadata(params: JsonObject) -> None:
    """Refuse metadata beyond Stripe's limits: 50 keys of 40 characters with values of 500."""
    metadata = params.get("metadata") or {}
    if len(metadata) > METADATA_KEYS_MAX:
        raise Refusal(400, f"Metadata has more than {METADATA_KEYS_MAX} keys", param="metadata")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_CHARACTERS_MAX or len(str(value)) > METADATA_VALUE_CHARACTERS_MAX:
            raise Refusal(400, f"Invalid metadata: key or value too long: {key[:60]}", param=f"metadata[{key}]")
