"""What the states of contracts, amendments, bills, questions and payments are called where a sentence names them."""

from collections.abc import Mapping
from typing import Final

from tenants.sentences import Sentence, sentence

STATES: Final[Mapping[str, Sentence]] = {
    each: each
    for each in (
        sentence("draft"),
        sentence("offered"),
        sentence("active"),
        sentence("ended"),
        sentence("terminated"),
        sentence("accepted"),
        sentence("declined"),
        sentence("withdrawn"),
        sentence("expired"),
        sentence("issued"),
        sentence("paid"),
        sentence("uncollectible"),
        sentence("void"),
        sentence("credited"),
        sentence("upheld"),
        sentence("pending"),
        sentence("sent"),
        sentence("done"),
        sentence("failed"),
        sentence("customer"),
        sentence("lines"),
        sentence("guard"),
        sentence("finalize"),
        sentence("collect"),
        sentence("wait"),
        sentence("action"),
        sentence("below_minimum"),
        sentence("by_hand"),
        sentence("gathering"),
        sentence("together"),
        sentence("in_transit"),
        sentence("reversed"),
    )
}


def in_state(state: str) -> str:
    """Return a state as sentences name it: its code in English, its word in another language."""
    return STATES.get(state, state)
